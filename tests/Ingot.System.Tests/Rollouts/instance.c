// An instance for the tests of rollouts: one static program, one thread a connection.
//   VERSION what /version answers   FAIL_PERCENT requests that get 500   BREAK_PERCENT requests whose connection is closed unanswered
//   HEALTH_PATH the only path that is a health check   HEALTHY 0 to fail it   START_DELAY_MS before it listens   END_AFTER_MS until it ends with 1
//   IGNORE_TERM 1 to go on after SIGTERM; SIGUSR1 always ends it, with 7
// GET /version, /slow?MS (answers after MS milliseconds), /self (/proc/self/status), /probe (what the sandbox lets it do)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static const char *text(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value ? value : otherwise;
}

static int answer(int fd, int status, const char *body) {
    char head[256];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
    struct iovec parts[] = { { head, length }, { (void *)body, strlen(body) } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static const char *outcome(int result) {
    return result >= 0 ? "allowed" : errno == EPERM ? "EPERM" : errno == EROFS ? "EROFS" : errno == ENOSYS ? "ENOSYS" : strerror(errno);
}

static void probe(char *out, size_t size) {
    int n = 0;
    n += snprintf(out + n, size - n, "write-root %s\n", outcome(open("/written", O_CREAT | O_WRONLY, 0600)));
    n += snprintf(out + n, size - n, "write-writable %s\n", outcome(open("/data/written", O_CREAT | O_WRONLY, 0600)));
    n += snprintf(out + n, size - n, "unshare %s\n", outcome(unshare(CLONE_NEWUSER)));
    n += snprintf(out + n, size - n, "mount %s\n", outcome(mount("none", "/data", "tmpfs", 0, "")));
    n += snprintf(out + n, size - n, "ptrace %s\n", outcome((int)ptrace(PTRACE_TRACEME, 0, 0, 0)));
    n += snprintf(out + n, size - n, "af-alg %s\n", outcome(socket(38, SOCK_SEQPACKET, 0)));
    n += snprintf(out + n, size - n, "raw-packet %s\n", outcome(socket(17, SOCK_RAW, 0)));
    n += snprintf(out + n, size - n, "keyctl %s\n", outcome((int)syscall(SYS_keyctl, 0, 0, 0, 0, 0)));
    n += snprintf(out + n, size - n, "bpf %s\n", outcome((int)syscall(SYS_bpf, 0, 0, 0)));
    n += snprintf(out + n, size - n, "io_uring %s\n", outcome((int)syscall(425, 1, 0)));
    n += snprintf(out + n, size - n, "clone3 %s\n", outcome((int)syscall(435, 0, 0)));
}

static int respond(int fd, char *request) {
    char *path = strchr(request, ' ');
    char *end = path ? strchr(path + 1, ' ') : NULL;
    if (!end)
        return -1;
    *end = 0;
    path++;
    if (strcmp(path, text("HEALTH_PATH", "/healthz")) == 0)
        return answer(fd, number("HEALTHY", 1) ? 200 : 503, "");
    if (rand() % 100 < number("BREAK_PERCENT", 0))
        return -1;
    if (rand() % 100 < number("FAIL_PERCENT", 0))
        return answer(fd, 500, "broken\n");

    char body[8192] = "";
    if (strncmp(path, "/slow?", 6) == 0)
        usleep(1000 * atoi(path + 6));
    if (strcmp(path, "/probe") == 0)
        probe(body, sizeof body);
    else if (strcmp(path, "/self") == 0) {
        int file = open("/proc/self/status", O_RDONLY);
        ssize_t length = read(file, body, sizeof body - 1);
        body[length > 0 ? length : 0] = 0;
        close(file);
    } else
        snprintf(body, sizeof body, "{\"version\":\"%s\"}", text("VERSION", "?"));
    return answer(fd, 200, body);
}

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    char buffer[8192];
    size_t held = 0;
    for (;;) {
        ssize_t got = recv(fd, buffer + held, sizeof buffer - 1 - held, 0);
        if (got <= 0)
            break;
        held += got;
        buffer[held] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end)
            continue;
        size_t used = end + 4 - buffer;
        if (respond(fd, buffer) < 0)
            break;
        memmove(buffer, buffer + used, held - used + 1);
        held -= used;
    }
    close(fd);
    return NULL;
}

static void *end_later(void *argument) {
    usleep(1000 * (long)argument);
    _exit(1);
}

static void on_signal(int signal) {
    (void)signal;
    _exit(0);
}

static void on_other_signal(int signal) {
    (void)signal;
    _exit(7);
}

int main(void) {
    signal(SIGTERM, number("IGNORE_TERM", 0) ? SIG_IGN : on_signal);
    signal(SIGUSR1, on_other_signal);
    signal(SIGPIPE, SIG_IGN);
    pthread_t thread;
    if (number("END_AFTER_MS", 0))
        pthread_create(&thread, NULL, end_later, (void *)(long)number("END_AFTER_MS", 0));
    printf("version %s starts\n", text("VERSION", "?"));
    fflush(stdout);
    usleep(1000 * number("START_DELAY_MS", 0));

    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        return 1;
    printf("listens\n");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0)
            pthread_detach(thread);
        else
            close(fd);
    }
}
