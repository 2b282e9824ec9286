// The front of a small shop. `web` serves; `web --health` asks a running one whether it is well; `web --version` names it.
#include "server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

static bool parse_number(const char *name, const char *text, unsigned long smallest, unsigned long largest, unsigned long *number) {
    char *end;
    *number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && *number >= smallest && *number <= largest)
        return true;
    fprintf(stderr, "web: %s is '%s': expected a number from %lu to %lu\n", name, text, smallest, largest);
    return false;
}

static int check_health(uint16_t port) {
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = 2 };
    char answer[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool well = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
        && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1
        && recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 0
        && strncmp(answer, "HTTP/1.1 200", 12) == 0;
    close(fd);
    return well ? 0 : 1;
}

static int serve(uint16_t port) {
    char hostname[256] = "unknown";
    gethostname(hostname, sizeof hostname - 1);
    unsigned long fail_percent;
    char baked[16];
    snprintf(baked, sizeof baked, "%d", FAIL_PERCENT);
    if (!parse_number("FAIL_PERCENT", setting("FAIL_PERCENT", baked), 0, 100, &fail_percent))
        return 2;

    static struct shop shop;
    if (!shop_load(&shop, setting("PRODUCTS", "/usr/share/shop/products.tsv"), VERSION, hostname))
        return 1;

    struct server_settings settings = {
        .port = port,
        .fail_percent = (unsigned)fail_percent,
        .log_requests = strcmp(setting("LOG_LEVEL", "info"), "debug") == 0,
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return server_run(&settings, &shop);
}

int main(int count, char **arguments) {
    unsigned long port;
    if (!parse_number("PORT", setting("PORT", "8080"), 1, 65535, &port))
        return 2;
    if (count == 1)
        return serve((uint16_t)port);
    if (count == 2 && strcmp(arguments[1], "--health") == 0)
        return check_health((uint16_t)port);
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        puts("web " VERSION);
        return 0;
    }
    fputs("usage: web [--health | --version]\n", stderr);
    return 2;
}
