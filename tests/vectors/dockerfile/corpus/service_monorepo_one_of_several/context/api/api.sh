. shared/lib.sh; lib
