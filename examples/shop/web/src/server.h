// HTTP/1.1 over one epoll loop: keep-alive, pipelining, time limits, and a drain when it is told to stop.
#pragma once
#include "shop.h"

#include <stdint.h>

struct server_settings {
    uint16_t port;
    // Of the requests to the shop's pages, how many in a hundred are answered with 500.
    unsigned fail_percent;
    bool log_requests;
};

// Serves until SIGTERM or SIGINT and until what is in flight is finished; returns the program's exit code.
int server_run(const struct server_settings *settings, const struct shop *shop);
