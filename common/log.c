/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE = 2048, MAX_VALUE = 600 }; /* below PIPE_BUF: a line is written whole or not */

const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int out_fd = STDERR_FILENO;
static atomic_bool out_journal;
static atomic_uint threshold = LOG_AT_INFO;
static atomic_uint dropped;

/* True if standard error is the stream that journald gave us (systemd.exec(5), JOURNAL_STREAM). */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t dev = 0, ino = 0;
    struct stat st;

    return stream != NULL && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void setup(void)
{
    atomic_store(&out_journal, is_journal());
}

void log_to(int fd, bool journal)
{
    (void)pthread_once(&once, setup);
    atomic_store(&out_fd, fd);
    atomic_store(&out_journal, journal);
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, level);
}

bool log_wants(enum log_level level)
{
    return (unsigned)level <= atomic_load(&threshold);
}

/* A line being made; what does not fit is cut. */
struct line {
    char text[MAX_LINE];
    size_t len;
};

static void put(struct line *l, char c)
{
    if (l->len < sizeof(l->text) - 1) /* room for the newline */
        l->text[l->len++] = c;
}

static void put_str(struct line *l, const char *s)
{
    while (*s != '\0')
        put(l, *s++);
}

static void put_number(struct line *l, int64_t n)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, n);
    put_str(l, text);
}

/* Bare if it is one plain word, else in quotes with \" \\ and \xNN. */
static void put_value(struct line *l, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    bool bare = s[0] != '\0';

    for (const char *p = s; *p != '\0'; p++)
        bare = bare && (unsigned char)*p > ' ' && (unsigned char)*p < 0x7f &&
               strchr("\"\\=", *p) == NULL;
    if (bare) {
        for (size_t i = 0; i < MAX_VALUE && s[i] != '\0'; i++)
            put(l, s[i]);
        return;
    }
    put(l, '"');
    for (size_t i = 0; i < MAX_VALUE && s[i] != '\0'; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c < ' ' || c >= 0x7f) {
            put_str(l, "\\x");
            put(l, hex[c >> 4]);
            put(l, hex[c & 15]);
            continue;
        }
        if (c == '"' || c == '\\')
            put(l, '\\');
        put(l, (char)c);
    }
    put(l, '"');
}

static void put_front(struct line *l, enum log_level level)
{
    static const char syslog_levels[] = "3467";
    char text[96];
    struct timespec now = {0};
    struct tm tm = {0};

    if (atomic_load(&out_journal)) {
        put(l, '<');
        put(l, syslog_levels[level]);
        put(l, '>');
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   now.tv_nsec / 1000000);
    put_str(l, text);
    put_str(l, log_levels[level]);
    put(l, ' ');
}

/* One write() if the line can go without waiting, else it is counted as dropped. */
static void send_line(struct line *l, unsigned reported)
{
    struct pollfd p = {.fd = atomic_load(&out_fd), .events = POLLOUT};
    ssize_t n = -1;

    l->text[l->len++] = '\n';
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0)
        do
            n = write(p.fd, l->text, l->len);
        while (n < 0 && errno == EINTR);
    if (n >= 0)
        (void)atomic_fetch_sub(&dropped, reported);
    else
        (void)atomic_fetch_add(&dropped, 1);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line l;
    unsigned lost;

    (void)pthread_once(&once, setup);
    if (!log_wants(level))
        return;
    l.len = 0;
    put_front(&l, level);
    put_str(&l, "event=");
    put_value(&l, event);
    for (; fields != NULL && fields->key != NULL; fields++) {
        put(&l, ' ');
        put_str(&l, fields->key);
        put(&l, '=');
        if (fields->text != NULL)
            put_value(&l, fields->text);
        else
            put_number(&l, fields->number);
    }
    lost = atomic_load(&dropped);
    if (lost > 0) {
        put_str(&l, " dropped=");
        put_number(&l, lost);
    }
    send_line(&l, lost);
}
