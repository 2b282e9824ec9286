say() { echo "tools: $*"; }
