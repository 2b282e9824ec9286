[ "$(sh app.sh)" = 42 ] && echo ok
