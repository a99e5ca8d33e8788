/* The floor: sends one prepared frame to every socket in a loop, and does nothing else.
 *
 *   floor SUBSCRIBERS FRAME_FILE
 *
 * Prints its port. Once SUBSCRIBERS WebSockets are open and a line was read from stdin, it sends rounds of the frame until there
 * is more input or stdin ends, then prints {"frames":..,"seconds":..}. It waits for sockets that are full.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    int count = atoi(argv[1]);
    static char frame[1 << 20];
    FILE *file = fopen(argv[2], "r");
    size_t length = file ? fread(frame, 1, sizeof frame, file) : 0;
    if (!length) return 1;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    if (bind(listening, (struct sockaddr *)&here, size) || listen(listening, 4096)) return 1;
    getsockname(listening, (struct sockaddr *)&here, &size);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    int *sockets = calloc(count, sizeof *sockets);
    for (int i = 0; i < count; i++) {
        int fd = sockets[i] = accept(listening, NULL, NULL), one = 1;
        char request[4096];
        size_t got = 0;
        while (got < 4 || memcmp(request + got - 4, "\r\n\r\n", 4)) {
            if (recv(fd, request + got++, 1, 0) != 1) return 1;
        }
        /* The key is always the bench's own, and so is the answer to it (RFC 6455, section 4.2.2). */
        const char *answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";
        send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    char line[64];
    if (!fgets(line, sizeof line, stdin)) return 1;
    uint64_t frames = 0;
    double start = now_s();
    struct pollfd input = {.fd = 0, .events = POLLIN};
    for (;;) {
        for (int i = 0; i < count; i++) {
            size_t done = 0;
            while (done < length) {
                ssize_t sent = send(sockets[i], frame + done, length - done, MSG_NOSIGNAL);
                if (sent > 0) {
                    done += sent;
                } else if (errno == EAGAIN) {
                    struct pollfd full = {.fd = sockets[i], .events = POLLOUT};
                    poll(&full, 1, 1000);
                } else {
                    return 1;
                }
            }
            frames++;
        }
        if (poll(&input, 1, 0) > 0) break;
    }
    printf("{\"frames\":%lu,\"seconds\":%.6f}\n", frames, now_s() - start);
    return 0;
}
