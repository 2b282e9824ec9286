#!/bin/sh
tar -cf /backup/data.tar /data
