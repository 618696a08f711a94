/* A small HTTP server on 127.0.0.1 for the download's tests: it serves the files of one directory,
 * and misbehaves as the first part of the path tells it to. Include after cmocka.h.
 *
 *     /good/NAME     as it should, byte ranges included
 *     /norange/NAME  all of it, whatever range was asked for
 *     /cut/NAME      announces all of it and hangs up half-way
 *     /corrupt/NAME  with one byte changed in the middle
 *     /html/NAME     a page with status 200, as a login portal does
 *     /endless/NAME  zeros without announcing how many
 *     anything else  404, with a body */
#ifndef MG_TEST_HTTP_SERVER_H
#define MG_TEST_HTTP_SERVER_H

#include "scratch.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

enum { HTTP_MAX_LOG = 64, ENDLESS_PIECES = 4096 };

typedef struct http_server {
    const char *dir;
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock; /* of the log */
    int count;
    struct {
        char path[128];
        long from; /* first byte of the range asked for; -1: none */
    } log[HTTP_MAX_LOG];
} http_server;

static inline bool http_send(int fd, const void *bytes, size_t size)
{
    for (const char *next = bytes; size > 0;) {
        const ssize_t n = send(fd, next, size, MSG_NOSIGNAL);
        if (n <= 0) return false;
        next += n;
        size -= (size_t)n;
    }
    return true;
}

static inline void http_head(int fd, const char *status, size_t length)
{
    char head[128];
    const int n =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", status, length);
    http_send(fd, head, (size_t)n);
}

static inline void http_page(int fd, const char *status)
{
    static const char page[] = "<html>not what you want</html>";
    http_head(fd, status, sizeof page - 1);
    http_send(fd, page, sizeof page - 1);
}

static inline void http_endless(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", zeros[1 << 16];
    http_send(fd, head, sizeof head - 1);
    for (int i = 0; i < ENDLESS_PIECES && http_send(fd, zeros, sizeof zeros); i++) {
    }
}

static inline void http_file(int fd, const char *dir, const char *how, const char *name, long from)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        http_page(fd, "404 Not Found");
        return;
    }
    fseek(file, 0, SEEK_END);
    const size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(size);
    const bool whole = bytes && fread(bytes, 1, size, file) == size;
    fclose(file);

    size_t start = from > 0 && strcmp(how, "norange") != 0 ? (size_t)from : 0;
    if (whole && strcmp(how, "corrupt") == 0) bytes[size / 2] ^= 0x10;
    if (!whole) {
        http_page(fd, "500 Internal Server Error");
    } else if (start >= size) {
        http_page(fd, "416 Range Not Satisfiable");
    } else {
        http_head(fd, start ? "206 Partial Content" : "200 OK", size - start);
        http_send(fd, bytes + start, (size - start) / (strcmp(how, "cut") == 0 ? 2 : 1));
    }
    free(bytes);
}

static inline void http_answer(http_server *server, int fd)
{
    char request[4096], how[32] = "", name[96] = "";
    size_t length = 0;
    long from = -1;

    do {
        const ssize_t n = recv(fd, request + length, sizeof request - 1 - length, 0);
        if (n <= 0) return;
        length += (size_t)n;
        request[length] = 0;
    } while (!strstr(request, "\r\n\r\n") && length < sizeof request - 1);
    sscanf(request, "GET /%31[^/]/%95[^ /]", how, name);
    const char *range = strstr(request, "\r\nRange: bytes=");
    if (range) from = atol(range + strlen("\r\nRange: bytes="));

    pthread_mutex_lock(&server->lock);
    if (server->count < HTTP_MAX_LOG) {
        snprintf(server->log[server->count].path, sizeof server->log->path, "%s/%s", how, name);
        server->log[server->count++].from = from;
    }
    pthread_mutex_unlock(&server->lock);

    if (strcmp(how, "good") == 0 || strcmp(how, "norange") == 0 || strcmp(how, "cut") == 0 ||
        strcmp(how, "corrupt") == 0)
        http_file(fd, server->dir, how, name, from);
    else if (strcmp(how, "html") == 0)
        http_page(fd, "200 OK");
    else if (strcmp(how, "endless") == 0)
        http_endless(fd);
    else
        http_page(fd, "404 Not Found");
}

static inline void *http_serve(void *user)
{
    http_server *server = user;
    for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0;) {
        http_answer(server, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

/* Requests since the last http_forget; log[0 .. count-1] may then be read. */
static inline int http_count(http_server *server)
{
    pthread_mutex_lock(&server->lock);
    const int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline void http_forget(http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->count = 0;
    pthread_mutex_unlock(&server->lock);
}

/* Serves `dir` (absolute, borrowed) on a port that the system picks. */
static inline bool http_start(http_server *server, const char *dir)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (http_server){.dir = dir, .lock = PTHREAD_MUTEX_INITIALIZER};
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, size) ||
        listen(server->listener, 16) ||
        getsockname(server->listener, (struct sockaddr *)&address, &size))
        return false;
    server->port = ntohs(address.sin_port);
    return pthread_create(&server->thread, NULL, http_serve, server) == 0;
}

static inline void http_stop(http_server *server)
{
    shutdown(server->listener, SHUT_RDWR); /* wakes accept() */
    pthread_join(server->thread, NULL);
    close(server->listener);
}

#endif
