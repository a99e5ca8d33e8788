/* The receiving end of the load generator: opens many WebSockets, sends each its first message, and counts what arrives.
 *
 *   receiver HOST PORT PATH MESSAGES SAMPLE_EVERY STALL_EVERY SPIN [SUBPROTOCOL]
 *
 * MESSAGES is a file with one line per connection ("\r", "\n" and "\xHH" escaped), sent as one frame after the handshake: text, or
 * binary with a subprotocol.
 * Every SAMPLE_EVERY-th connection is parsed: each `"v":` is one delta, and its latency is the wall clock minus the preceding
 * `"ts":` (milliseconds). Of the others only the frames are counted. Every STALL_EVERY-th connection (0: none) is never read.
 * With SPIN 1 it never sleeps: on loopback the sender would pay for waking it, which it does not for remote clients.
 * Commands on stdin are answered with one line of JSON each: `reset`, `report`. It exits at the end of stdin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (1 << 18)
#define AT_ONCE 500 /* handshakes on their way */
#define BUCKETS 200000 /* of a tenth of a millisecond */

struct connection {
    int fd;
    int sampled;
    uint64_t skip;          /* bytes of the present frame still to come */
    unsigned char head[14]; /* a frame's head as far as it has come */
    int head_length;
    char *text;             /* a sampled connection's present frame */
    size_t text_length, text_room;
    int closed;
};

struct message {
    char *text;
    size_t length;
};

static uint64_t frames, bytes, deltas, closed;
static uint64_t histogram[BUCKETS + 1];
static double slowest;
static char buffer[BUFFER];

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void scan(const char *text, size_t length, double now) {
    double late = -1;
    for (const char *at = text, *end = text + length; (at = memchr(at, '"', end - at)); at++) {
        if (end - at > 5 && !memcmp(at, "\"ts\":", 5)) {
            late = now - strtoull(at + 5, NULL, 10);
            at += 5;
        } else if (end - at > 4 && !memcmp(at, "\"v\":", 4)) {
            deltas++;
            if (late >= 0) {
                size_t bucket = late * 10;
                histogram[bucket < BUCKETS ? bucket : BUCKETS]++;
                if (late > slowest) slowest = late;
            }
            at += 4;
        }
    }
}

static void take(struct connection *c, const char *data, size_t length, double now) {
    while (length) {
        if (!c->skip) {
            c->head[c->head_length++] = *data++;
            length--;
            if (c->head_length < 2) continue;
            int small = c->head[1] & 127, need = 2 + (small == 126 ? 2 : small == 127 ? 8 : 0);
            if (c->head_length < need) continue;
            uint64_t size = small;
            if (need > 2) {
                size = 0;
                for (int i = 2; i < need; i++) size = size << 8 | c->head[i];
            }
            c->skip = size;
            c->head_length = 0;
            c->text_length = 0;
            frames++;
            continue;
        }
        size_t part = length < c->skip ? length : c->skip;
        if (c->sampled) {
            if (c->text_length + part + 1 > c->text_room) {
                c->text_room = (c->text_length + part + 1) * 2;
                c->text = realloc(c->text, c->text_room);
                if (!c->text) die("realloc");
            }
            memcpy(c->text + c->text_length, data, part);
            c->text_length += part;
        }
        data += part;
        length -= part;
        c->skip -= part;
        if (!c->skip && c->sampled) {
            c->text[c->text_length] = 0;
            scan(c->text, c->text_length, now);
        }
    }
}

static void send_all(int fd, const void *data, size_t length) {
    const char *at = data;
    while (length) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0) die("send");
        at += sent;
        length -= sent;
    }
}

/* A handshake is asked for and, later, answered, so that many are on their way at once: clients that come back do not queue up. */
static void ask(struct sockaddr_in *to, const char *path, const char *subprotocol, struct connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) die("socket");
    if (connect(c->fd, (struct sockaddr *)to, sizeof *to)) die("connect");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s%s%s\r\n",
                          path, subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol ? subprotocol : "",
                          subprotocol ? "\r\n" : "");
    send_all(c->fd, request, length);
}

static void greet(struct connection *c, const char *message, size_t size, int is_text) {
    /* Up to the empty line: what follows it is frames already. */
    char answer[2048];
    ssize_t got, length = 0;
    char *end = NULL;
    do {
        got = recv(c->fd, answer, sizeof answer - 1, MSG_PEEK);
        if (got <= 0 || got == sizeof answer - 1) die("handshake");
        if (got == length) usleep(100); /* the rest is still on its way */
        answer[length = got] = 0;
        end = strstr(answer, "\r\n\r\n");
    } while (!end);
    if (recv(c->fd, answer, end + 4 - answer, 0) != end + 4 - answer) die("handshake");
    if (strncmp(answer, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "handshake refused: %.*s\n", (int)(strchr(answer, '\r') - answer), answer);
        exit(1);
    }
    unsigned char head[8] = {is_text ? 0x81 : 0x82};
    int head_length;
    if (size < 126) {
        head[1] = 0x80 | size;
        head_length = 2;
    } else {
        head[1] = 0x80 | 126;
        head[2] = size >> 8;
        head[3] = size & 255;
        head_length = 4;
    }
    memset(head + head_length, 0, 4); /* a mask of zeros leaves the text as it is */
    send_all(c->fd, head, head_length + 4);
    send_all(c->fd, message, size);
}

static size_t unescape(char *text) {
    char *to = text;
    for (char *from = text; *from && *from != '\n'; from++) {
        if (*from == '\\' && (from[1] == 'r' || from[1] == 'n')) {
            *to++ = *++from == 'r' ? '\r' : '\n';
        } else if (*from == '\\' && from[1] == 'x') {
            char digits[3] = {from[2], from[3], 0};
            *to++ = strtoul(digits, NULL, 16);
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    return to - text;
}

static double percentile(uint64_t total, double share) {
    uint64_t wanted = total * share, seen = 0;
    for (int i = 0; i <= BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted) return i / 10.0;
    }
    return slowest;
}

static void report(double since) {
    uint64_t total = 0;
    for (int i = 0; i <= BUCKETS; i++) total += histogram[i];
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"seconds\":%.6f,\"frames\":%lu,\"bytes\":%lu,\"deltas\":%lu,\"closed\":%lu,\"p50\":%.1f,\"p99\":%.1f,"
           "\"p999\":%.1f,\"max\":%.1f,\"cpu_s\":%.3f}\n",
           (now_ms() - since) / 1e3, frames, bytes, deltas, closed, percentile(total, .5), percentile(total, .99),
           percentile(total, .999), slowest, cpu);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 8 && argc != 9) {
        fprintf(stderr, "receiver HOST PORT PATH MESSAGES SAMPLE_EVERY STALL_EVERY SPIN [SUBPROTOCOL]\n");
        return 2;
    }
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &to.sin_addr);
    int sample_every = atoi(argv[5]), stall_every = atoi(argv[6]), patience = atoi(argv[7]) ? 0 : -1;
    const char *subprotocol = argc == 9 ? argv[8] : NULL;
    FILE *messages = fopen(argv[4], "r");
    if (!messages) die(argv[4]);
    int epoll = epoll_create1(0), count = 0, room = 0;
    struct connection **all = NULL;
    char *line = NULL;
    size_t line_room = 0;
    struct message *texts = NULL;
    while (getline(&line, &line_room, messages) > 0) {
        struct connection *c = calloc(1, sizeof *c);
        if (count == room) {
            room = room ? room * 2 : 1024;
            all = realloc(all, room * sizeof *all);
            texts = realloc(texts, room * sizeof *texts);
        }
        all[count] = c;
        c->sampled = count % sample_every == 0;
        texts[count].length = unescape(line);
        texts[count].text = memcpy(malloc(texts[count].length + 1), line, texts[count].length);
        count++;
    }
    for (int asked = 0, i = 0; i < count; i++) {
        struct connection *c = all[i];
        while (asked < count && asked < i + AT_ONCE) ask(&to, argv[3], subprotocol, all[asked++]);
        greet(c, texts[i].text, texts[i].length, !subprotocol);
        free(texts[i].text);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        if (!stall_every || i % stall_every != stall_every - 1) {
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
            epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
        }
    }
    free(texts);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
    double since = now_ms();
    printf("{\"connected\":%d}\n", count);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[512];
        int ready = epoll_wait(epoll, events, 512, patience);
        double now = now_ms();
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                char command[64];
                ssize_t got = read(0, command, sizeof command);
                if (got <= 0) return 0;
                if (!strncmp(command, "reset", 5)) {
                    frames = bytes = deltas = 0;
                    slowest = 0;
                    memset(histogram, 0, sizeof histogram);
                    since = now_ms();
                }
                report(since);
                continue;
            }
            ssize_t got = recv(c->fd, buffer, BUFFER, 0);
            if (got > 0) {
                bytes += got;
                take(c, buffer, got, now);
            } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                closed++;
                epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
                close(c->fd);
            }
        }
    }
}
