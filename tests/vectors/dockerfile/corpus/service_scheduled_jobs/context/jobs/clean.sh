#!/bin/sh
find /tmp -mtime +1 -delete
