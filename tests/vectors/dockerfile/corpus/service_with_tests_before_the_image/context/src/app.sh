#!/bin/sh
echo "$(( 6 * 7 ))"
