#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_REQUEST = 8192,
    MAX_CONNECTIONS = 512,
    IDLE_MS = 60000,     // a kept connection without a request
    REQUEST_MS = 10000,  // from a request's first byte to its last, and for taking the answer
    DRAIN_MS = 500,      // connections are still taken so long after the signal: the proxy must notice first
    LINGER_MS = 2000,    // for the client to close after the last answer
    STOP_MS = 5000,      // then whatever is left is cut off
};

struct connection {
    struct connection *next, *previous;
    int fd;
    bool writing;
    bool close_after;
    bool ended;     // the client sends no more
    bool lingering; // answered for the last time; what still comes is thrown away
    int64_t since; // of the current wait, in milliseconds
    size_t received;
    char request[MAX_REQUEST + 1];
    char head[512];
    const char *body;
    size_t head_length, body_length, sent;
};

struct server {
    const struct server_settings *settings;
    const struct shop *shop;
    int epoll, listener, signals;
    bool accepting;
    struct connection connections; // the list's head
    size_t count;
    uint64_t shop_requests;
    int64_t draining; // since when, or 0
};

struct answer {
    int status;
    const char *reason, *type, *body;
    size_t length;
};

struct request {
    const char *method, *path;
    bool keep_alive;
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct answer text(int status, const char *reason, const char *body) {
    return (struct answer){ status, reason, "text/plain; charset=utf-8", body, strlen(body) };
}

static struct answer page(const struct page *page) {
    return (struct answer){ 200, "OK", page->type, page->body, page->length };
}

// Spread evenly instead of drawn: a share of 20 % is every fifth request, in tests too.
static bool fails(struct server *server) {
    uint64_t share = server->settings->fail_percent, n = server->shop_requests++;
    return (n + 1) * share / 100 != n * share / 100;
}

static struct answer shop_page(struct server *server, const struct page *content) {
    return fails(server) ? text(500, "Internal Server Error", "the shop is broken\n") : page(content);
}

static struct answer route(struct server *server, const struct request *request) {
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        return text(405, "Method Not Allowed", "only GET and HEAD\n");
    if (strcmp(request->path, "/healthz") == 0)
        return server->draining ? text(503, "Service Unavailable", "draining\n") : text(200, "OK", "ok\n");
    if (strcmp(request->path, "/version") == 0)
        return page(&server->shop->version);
    if (strcmp(request->path, "/") == 0)
        return shop_page(server, &server->shop->front);
    if (strcmp(request->path, "/products") == 0)
        return shop_page(server, &server->shop->products);
    return text(404, "Not Found", "no such page\n");
}

// https://www.rfc-editor.org/rfc/rfc9112#section-3. The target must be printable, so that it can be logged as it is.
static bool parse_request_line(char *line, struct request *request) {
    char *method = strsep(&line, " "), *target = strsep(&line, " "), *version = line;
    if (target == NULL || version == NULL || *method == '\0' || *target != '/')
        return false;
    for (const char *c = target; *c != '\0'; c++) {
        if (*c < 0x21 || *c > 0x7e)
            return false;
    }
    request->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    if (!request->keep_alive && strcmp(version, "HTTP/1.0") != 0)
        return false;
    target[strcspn(target, "?")] = '\0';
    request->method = method;
    request->path = target;
    return true;
}

// A message with a body is refused and its connection closed: nothing here takes one, and what was not read cannot be mistaken for the next request.
static bool parse_header(char *line, struct request *request, bool *has_host) {
    char *name = strsep(&line, ":");
    if (line == NULL || *name == '\0' || strpbrk(name, " \t") != NULL)
        return false;
    line += strspn(line, " \t");
    if (strcasecmp(name, "host") == 0) {
        bool repeated = *has_host;
        *has_host = true;
        return !repeated;
    }
    if (strcasecmp(name, "transfer-encoding") == 0)
        return false;
    if (strcasecmp(name, "content-length") == 0)
        return strcmp(line, "0") == 0;
    if (strcasecmp(name, "connection") == 0) {
        if (strcasestr(line, "close") != NULL)
            request->keep_alive = false;
        else if (strcasestr(line, "keep-alive") != NULL)
            request->keep_alive = true;
    }
    return true;
}

// The text ends with an empty line, which was cut off.
static bool parse_request(char *text, struct request *request) {
    bool has_host = false, first = true, is_http11 = false;
    while (text != NULL) {
        char *line = text, *end = strstr(text, "\r\n");
        text = end == NULL ? NULL : end + 2;
        if (end != NULL)
            *end = '\0';
        if (strpbrk(line, "\r\n") != NULL)
            return false;
        if (first) {
            if (!parse_request_line(line, request))
                return false;
            is_http11 = request->keep_alive;
            first = false;
        } else if (!parse_header(line, request, &has_host)) {
            return false;
        }
    }
    return has_host || !is_http11;
}

static bool is_idle(const struct connection *connection) {
    return !connection->writing && !connection->lingering && connection->received == 0;
}

static void set_interest(struct server *server, struct connection *connection, uint32_t events) {
    struct epoll_event event = { .events = events, .data.ptr = connection };
    epoll_ctl(server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void set_accepting(struct server *server, bool accepting) {
    if (server->listener < 0 || server->accepting == accepting)
        return;
    struct epoll_event event = { .events = accepting ? EPOLLIN : 0, .data.ptr = &server->listener };
    epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener, &event);
    server->accepting = accepting;
}

static void close_connection(struct server *server, struct connection *connection) {
    close(connection->fd);
    connection->previous->next = connection->next;
    connection->next->previous = connection->previous;
    free(connection);
    server->count--;
    set_accepting(server, true);
}

static void begin_answer(struct connection *connection, struct answer answer, bool head_only, bool keep_alive) {
    connection->head_length = (size_t)snprintf(connection->head, sizeof connection->head,
        "HTTP/1.1 %d %s\r\nServer: web/" VERSION "\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n",
        answer.status, answer.reason, answer.type, answer.length,
        answer.status == 405 ? "Allow: GET, HEAD\r\n" : "", keep_alive ? "" : "Connection: close\r\n");
    connection->body = answer.body;
    connection->body_length = head_only ? 0 : answer.length;
    connection->close_after = !keep_alive;
    connection->sent = 0;
    connection->writing = true;
    connection->since = now_ms();
}

// Sends what is left of the answer; false when the connection is gone.
static bool send_answer(struct connection *connection) {
    size_t total = connection->head_length + connection->body_length;
    while (connection->sent < total) {
        size_t head_sent = connection->sent < connection->head_length ? connection->sent : connection->head_length;
        size_t body_sent = connection->sent - head_sent;
        struct iovec parts[] = {
            { connection->head + head_sent, connection->head_length - head_sent },
            { (char *)connection->body + body_sent, connection->body_length - body_sent },
        };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
        ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        connection->sent += (size_t)n;
    }
    connection->writing = false;
    return true;
}

static void log_request(const struct server *server, const struct request *request, const struct answer *answer) {
    if (server->settings->log_requests)
        printf("method=%s path=%s status=%d bytes=%zu\n", request->method, request->path, answer->status, answer->length);
}

// Answers the request that ends before `end`, and keeps what came after it.
static void take_request(struct server *server, struct connection *connection, char *end) {
    struct request request = { .method = "-", .path = "-" };
    *end = '\0';
    bool good = strlen(connection->request) == (size_t)(end - connection->request) && parse_request(connection->request, &request);
    struct answer answer = good ? route(server, &request) : text(400, "Bad Request", "not a request this server takes\n");
    log_request(server, &request, &answer);
    begin_answer(connection, answer, strcmp(request.method, "HEAD") == 0, good && request.keep_alive && !server->draining);

    size_t used = (size_t)(end - connection->request) + 4;
    connection->received -= used;
    memmove(connection->request, connection->request + used, connection->received + 1);
}

// Closing at once with bytes unread would send a reset, which may overtake the answer.
static bool begin_linger(struct connection *connection) {
    connection->lingering = true;
    connection->since = now_ms();
    return shutdown(connection->fd, SHUT_WR) == 0 && !connection->ended;
}

// Answers every whole request that has arrived, one after the other; false when the connection is to be closed.
static bool answer_all(struct server *server, struct connection *connection) {
    for (;;) {
        if (connection->writing) {
            if (!send_answer(connection))
                return false;
            if (connection->writing)
                return true;
            if (connection->close_after)
                return begin_linger(connection);
        }
        char *end = memmem(connection->request, connection->received, "\r\n\r\n", 4);
        if (end == NULL && connection->received < MAX_REQUEST)
            return !connection->ended;
        if (end == NULL)
            begin_answer(connection, text(431, "Request Header Fields Too Large", "the request is too large\n"), false, false);
        else
            take_request(server, connection, end);
    }
}

static bool receive(struct connection *connection) {
    while (connection->received < MAX_REQUEST) {
        ssize_t n = recv(connection->fd, connection->request + connection->received, MAX_REQUEST - connection->received, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0) {
            connection->ended = true;
            return true;
        }
        if (connection->received == 0)
            connection->since = now_ms();
        connection->received += (size_t)n;
        connection->request[connection->received] = '\0';
    }
    return true;
}

static bool discard(struct connection *connection) {
    ssize_t n;
    do
        n = recv(connection->fd, connection->request, MAX_REQUEST, 0);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 && errno == EAGAIN;
}

static bool advance(struct server *server, struct connection *connection, uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP))
        return false;
    if (connection->lingering)
        return discard(connection);
    if (!connection->writing && (events & EPOLLIN) && !receive(connection))
        return false;
    return answer_all(server, connection);
}

static void serve_connection(struct server *server, struct connection *connection, uint32_t events) {
    if (!advance(server, connection, events)) {
        close_connection(server, connection);
        return;
    }
    if (is_idle(connection))
        connection->since = now_ms();
    set_interest(server, connection, connection->writing ? EPOLLOUT : EPOLLIN);
}

static void accept_connections(struct server *server) {
    while (server->accepting) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
        if (connection == NULL || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            free(connection);
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        connection->fd = fd;
        connection->since = now_ms();
        connection->next = server->connections.next;
        connection->previous = &server->connections;
        connection->next->previous = connection->previous->next = connection;
        if (++server->count == MAX_CONNECTIONS)
            set_accepting(server, false);
    }
}

static void close_stale(struct server *server, int64_t now) {
    bool stopping = server->draining && now - server->draining >= DRAIN_MS;
    for (struct connection *connection = server->connections.next, *next; connection != &server->connections; connection = next) {
        next = connection->next;
        int64_t limit = is_idle(connection) ? (stopping ? 0 : IDLE_MS) : connection->lingering ? LINGER_MS : REQUEST_MS;
        if (now - connection->since >= limit)
            close_connection(server, connection);
    }
    if (stopping && server->listener >= 0) {
        close(server->listener);
        server->listener = -1;
    }
}

static void begin_drain(struct server *server) {
    struct signalfd_siginfo info;
    if (read(server->signals, &info, sizeof info) < 0 || server->draining)
        return;
    server->draining = now_ms();
    printf("stopping: %zu connections\n", server->count);
}

static bool open_server(struct server *server) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    server->signals = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->signals < 0 || server->epoll < 0 || server->listener < 0)
        return false;

    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(server->settings->port), .sin_addr.s_addr = INADDR_ANY };
    struct epoll_event on_accept = { .events = EPOLLIN, .data.ptr = &server->listener };
    struct epoll_event on_signal = { .events = EPOLLIN, .data.ptr = &server->signals };
    server->accepting = true;
    return bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0
        && listen(server->listener, SOMAXCONN) == 0
        && epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &on_accept) == 0
        && epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->signals, &on_signal) == 0;
}

static void dispatch(struct server *server, const struct epoll_event *event) {
    if (event->data.ptr == &server->listener)
        accept_connections(server);
    else if (event->data.ptr == &server->signals)
        begin_drain(server);
    else
        serve_connection(server, event->data.ptr, event->events);
}

int server_run(const struct server_settings *settings, const struct shop *shop) {
    static struct server server;
    server = (struct server){ .settings = settings, .shop = shop };
    server.connections.next = server.connections.previous = &server.connections;
    if (!open_server(&server)) {
        fprintf(stderr, "web: port %d could not be opened: %s\n", settings->port, strerror(errno));
        return 1;
    }

    printf("version " VERSION ", listening on port %d, failing %u %% of requests\n", settings->port, settings->fail_percent);
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(server.epoll, events, 64, server.draining ? 50 : 1000);
        for (int i = 0; i < count; i++)
            dispatch(&server, &events[i]);

        int64_t now = now_ms();
        close_stale(&server, now);
        if (server.draining && ((server.listener < 0 && server.count == 0) || now - server.draining >= STOP_MS))
            return 0;
    }
}
