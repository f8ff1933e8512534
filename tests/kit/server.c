#include "tests/kit/server.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Copies the value of a field of the request, or "" if the request lacks the field. */
static void field(char *value, size_t size, const char *request, const char *name)
{
    size_t n = strlen(name);
    value[0] = 0;
    for (const char *line = strchr(request, '\n'); line; line = strchr(line + 1, '\n'))
        if (strncasecmp(line + 1, name, n) == 0 && line[1 + n] == ':')
            snprintf(value, size, "%.*s", (int)strcspn(line + n + 3, "\r"), line + n + 3);
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    for (ssize_t put; n > 0; bytes += put, n -= (size_t)put)
        if ((put = send(fd, bytes, n, MSG_NOSIGNAL)) <= 0) return false;
    return true;
}

static void send_body(struct server *s, int fd, size_t first)
{
    size_t n = s->size - first;
    bool cut = s->cut > 0 && s->cut < n;
    if (cut) n = s->cut;
    s->sent += n;
    if (!send_all(fd, s->body + first, n) || !cut || !s->stall) return;
    char c;
    while (recv(fd, &c, 1, 0) > 0) continue;
}

static void answer(struct server *s, int fd, const char *request)
{
    char head[1024], if_range[64];
    unsigned long first = 0;
    field(s->range, sizeof s->range, request, "Range");
    field(if_range, sizeof if_range, request, "If-Range");
    bool part = !s->no_ranges && sscanf(s->range, "bytes=%lu-", &first) == 1 &&
                (!if_range[0] || s->no_if || strcmp(if_range, s->version) == 0);
    bool moved = strncmp(request, "GET /moved", 10) == 0;
    int status = s->status ? s->status : !part ? 200 : first < s->size ? 206 : 416;
    if (moved) status = 302;
    if (!part) first = 0;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\nConnection: close\r\n", status);
    bool whole = status == 200 || status == 206;
#define LINE(...) n += snprintf(head + n, sizeof head - (size_t)n, __VA_ARGS__)
    if (s->version[0]) LINE("%s: %s\r\n", s->dated ? "Last-Modified" : "ETag", s->version);
    if (s->type[0]) LINE("Content-Type: %s\r\n", s->type);
    if (moved) LINE("Location: %s\r\n", s->location);
    if (status == 206) LINE("Content-Range: bytes %lu-%zu/%zu\r\n", first, s->size - 1, s->size);
    if (status == 416) LINE("Content-Range: bytes */%zu\r\n", s->size);
    if (!s->no_total) LINE("Content-Length: %zu\r\n", whole ? s->size - first : (size_t)0);
    LINE("\r\n");
#undef LINE
    if (send_all(fd, head, (size_t)n) && whole) send_body(s, fd, first);
}

static void serve(struct server *s, int listening)
{
    static char request[8192];
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        size_t n = 0;
        ssize_t got = 1;
        request[0] = 0;
        bool http = true; /* false: a client that wants TLS waits for an answer */
        while (got > 0 && http && n < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
            got = recv(fd, request + n, sizeof request - 1 - n, 0);
            if (got > 0) request[n += (size_t)got] = 0;
            http = request[0] == 'G';
        }
        s->asked++;
        if (got > 0) answer(s, fd, request);
        close(fd);
    }
}

struct server *server_start(void)
{
    struct server *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s == MAP_FAILED || fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        abort();
    s->port = ntohs(at.sin_port);
    setenv("no_proxy", "*", 1);
    pid_t test = getpid();
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != test) _exit(0); /* the test has ended already */
        serve(s, fd);
    }
    close(fd);
    return s;
}

const char *server_url(const struct server *s, const char *name)
{
    static char urls[4][256];
    static int turn;
    char *url = urls[turn++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d/%s", s->port, name);
    return url;
}
