/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/site.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/must.h"

enum { TEXT = 4096, POLL_MS = 10, WAIT_MS = 30000, ARGS = 16 };

const char *site_bin(const char *program)
{
    static char path[TEXT + 64];
    char self[TEXT] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    MUST(n > 0);
    (void)snprintf(path, sizeof(path), "%s/%s", dirname(self), program);
    return path;
}

static void rest(void)
{
    struct timespec t = {.tv_nsec = POLL_MS * 1000000L};

    (void)nanosleep(&t, NULL);
}

static int run_list(char *out, size_t size, char *const argv[])
{
    int ends[2], status = 0;
    size_t n = 0;
    ssize_t got;
    char sink[256];
    pid_t pid;

    MUST(pipe(ends) == 0);
    pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    for (;;) {
        bool full = n + 1 >= size;

        got = full ? read(ends[0], sink, sizeof(sink)) : read(ends[0], out + n, size - 1 - n);
        if (got <= 0)
            break;
        n += full ? 0 : (size_t)got;
    }
    close(ends[0]);
    if (size > 0)
        out[n] = '\0';
    MUST(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int site_run(char *out, size_t size, const char *program, ...)
{
    char *argv[ARGS];
    size_t n = 0;
    va_list ap;

    argv[n++] = (char *)(uintptr_t)program;
    va_start(ap, program);
    while (n < ARGS - 1 && (argv[n] = va_arg(ap, char *)) != NULL)
        n++;
    va_end(ap);
    argv[n] = NULL;
    return run_list(out, size, argv);
}

static void make_dir(struct site *s)
{
    *s = (struct site){.dir = "/tmp/satchel-site-XXXXXX"};
    MUST(mkdtemp(s->dir) != NULL);
}

static void path_in(const struct site *s, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", s->dir, name);
}

void site_make(struct site *s)
{
    const char *template = getenv("SATCHEL_TEST_SITE");
    char data[128], out[TEXT];

    make_dir(s);
    path_in(s, "data", data);
    if (template != NULL) {
        MUST(site_run(out, sizeof(out), "cp", "-a", template, data, NULL) == 0);
    } else if (site_run(out, sizeof(out), site_bin("satcheld"), "init", "--data", data, NULL) !=
               0) {
        fprintf(stderr, "init: %s\n", out);
        abort();
    }
}

void site_remove(struct site *s)
{
    char out[TEXT];

    if (s->pid != 0)
        site_kill(s);
    (void)site_run(out, sizeof(out), "rm", "-rf", s->dir, NULL);
}

/* All peers of a test come from one address, and as fast as the machine can: how often they may is
   no matter, unless the test itself sets it. */
#define CROWD "[limits]\nhandshakes = 100000\nhandshakes_per_address = 100000\n"

static void write_conf(const struct site *s, const char *extra)
{
    char path[128];
    FILE *f;

    path_in(s, "conf", path);
    f = fopen(path, "w");
    MUST(f != NULL);
    if (extra == NULL || strstr(extra, "handshakes") == NULL)
        fputs(CROWD, f);
    fprintf(f, "[server]\ndata = %s/data\nlisten = 127.0.0.1:0\n%s\n", s->dir,
            extra != NULL ? extra : "");
    MUST(fclose(f) == 0);
}

/* The log as text; valid until the next call. */
static const char *read_log(const struct site *s)
{
    static char text[1 << 18];
    char path[128];
    ssize_t n;
    int fd;

    path_in(s, "log", path);
    fd = open(path, O_RDONLY);
    n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static bool wait_log(const struct site *s, const char *text)
{
    for (int ms = 0; ms < WAIT_MS; ms += POLL_MS) {
        if (strstr(read_log(s), text) != NULL)
            return true;
        if (s->pid != 0 && kill(s->pid, 0) != 0)
            return false;
        rest();
    }
    return false;
}

bool site_log_has(const struct site *s, const char *text)
{
    return strstr(read_log(s), text) != NULL;
}

bool site_logged(const struct site *s, const char *text)
{
    return wait_log(s, text);
}

/* What systemd sets: the socket is descriptor 3, and the variables are for this process. */
static void pass_socket(int fd)
{
    char pid[24];

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (dup2(fd, 3) != 3 || fcntl(3, F_SETFD, 0) != 0 || setenv("LISTEN_PID", pid, 1) != 0 ||
        setenv("LISTEN_FDS", "1", 1) != 0)
        _exit(126);
}

/* In the daemon's process: the file that says how far its clock is off. */
static void shift_clock(const struct site *s)
{
    const char *asan = getenv("ASAN_OPTIONS");
    char path[128], options[TEXT];

    path_in(s, "clock", path);
    (void)snprintf(options, sizeof(options), "%s:verify_asan_link_order=0",
                   asan != NULL ? asan : "");
    if (setenv("SATCHEL_TEST_CLOCK", path, 1) != 0 || setenv("ASAN_OPTIONS", options, 1) != 0 ||
        setenv("LD_PRELOAD", site_bin("clock_shift.so"), 1) != 0)
        _exit(126);
}

void site_start_with_socket(struct site *s, const char *extra, int socket)
{
    char conf[128], log[128];
    const char *at;
    int fd;

    write_conf(s, extra);
    path_in(s, "conf", conf);
    path_in(s, "log", log);
    fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    s->pid = fork();
    MUST(s->pid >= 0);
    if (s->pid == 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)dup2(fd, STDOUT_FILENO);
        if (socket >= 0)
            pass_socket(socket);
        if (s->clock)
            shift_clock(s);
        execl(site_bin("satcheld"), "satcheld", "--config", conf, (char *)NULL);
        _exit(127);
    }
    close(fd);
    if (!wait_log(s, "event=started")) {
        fprintf(stderr, "satcheld did not start: %s\n", read_log(s));
        abort();
    }
    at = strstr(read_log(s), "address=127.0.0.1:");
    MUST(at != NULL);
    s->port = (uint16_t)strtoul(at + strlen("address=127.0.0.1:"), NULL, 10);
}

void site_start(struct site *s, const char *extra)
{
    site_start_with_socket(s, extra, -1);
}

/* How often ${event} is in the log. */
static size_t count_events(const struct site *s, const char *event)
{
    size_t n = 0;

    for (const char *at = read_log(s); (at = strstr(at, event)) != NULL; at++)
        n++;
    return n;
}

void site_reload(struct site *s, const char *extra, const char *event)
{
    size_t before = count_events(s, event);

    write_conf(s, extra);
    MUST(kill(s->pid, SIGHUP) == 0);
    for (int ms = 0; ms < WAIT_MS; ms += POLL_MS) {
        if (count_events(s, event) > before)
            return;
        rest();
    }
    fprintf(stderr, "satcheld has not reloaded: %s\n", read_log(s));
    abort();
}

static int reap(struct site *s)
{
    int status = 0;

    MUST(waitpid(s->pid, &status, 0) == s->pid);
    s->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "satcheld said: %s\n", read_log(s));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int site_stop(struct site *s)
{
    MUST(s->pid != 0 && kill(s->pid, SIGTERM) == 0);
    return reap(s);
}

int site_wait(struct site *s)
{
    MUST(s->pid != 0);
    return reap(s);
}

void site_kill(struct site *s)
{
    int status = 0;

    MUST(s->pid != 0 && kill(s->pid, SIGKILL) == 0);
    MUST(waitpid(s->pid, &status, 0) == s->pid);
    s->pid = 0;
}

long site_private_kib(const struct site *s)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    f = fopen(path, "r");
    MUST(f != NULL);
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    fclose(f);
    return kib;
}
