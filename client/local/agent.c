/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/fs.h"

extern char **environ;

enum {
    WAIT_S = 5, /* for the other side */
    BACKLOG = 8,
    LISTEN_FD = 3,
    NAME_BYTES = 8,
    ANSWER_LEN = VAULT_FILE_ID_LEN + VAULT_FILE_KEY_LEN,
    ORDER_LEN = ANSWER_LEN + 8 + sizeof(((struct sockaddr_un *)NULL)->sun_path)
};

/* ---- where ---- */

/* A folder that nobody else can enter. */
static int check_private(const char *folder, struct err *err)
{
    struct stat st;

    if (lstat(folder, &st) != 0)
        return err_sys(err, errno, "cannot look at '%s'", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return err_set(err, ERR_REFUSED, "'%s' is not a folder of yours alone", folder);
    return ERR_OK;
}

static int runtime_path(const char *runtime, const char *folder, char **ret, struct err *err)
{
    char *dir = fs_join(runtime, "satchel"), *real = realpath(folder, NULL), *path = NULL;
    char name[2 * NAME_BYTES + 1];
    uint8_t hash[HASH_SHA256_LEN];
    int rc = dir != NULL && real != NULL ? hash_sha256(hash, real, strlen(real)) : ERR_NOTFOUND;

    if (rc == ERR_OK)
        rc = fs_mkdirs(dir, 0700, err);
    if (rc == ERR_OK)
        rc = check_private(dir, err);
    if (rc == ERR_OK) {
        hex_encode(name, hash, NAME_BYTES);
        if (asprintf(&path, "%s/agent-%s", dir, name) < 0)
            rc = err_set(err, ERR_NOMEM, "out of memory");
        else
            *ret = path;
    }
    free(dir);
    free(real);
    return rc;
}

static int socket_address(const char *folder, struct sockaddr_un *ret, struct err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *path = NULL;
    int rc;

    if (runtime != NULL && runtime[0] == '/') {
        rc = runtime_path(runtime, folder, &path, err);
    } else {
        rc = check_private(folder, err);
        if (rc == ERR_OK && (path = fs_join(folder, "agent")) == NULL)
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK && strlen(path) >= sizeof(ret->sun_path)) {
        rc = err_set(err, ERR_IO, "'%s' is too long a name for a socket", path);
        err_hint(err, "set XDG_RUNTIME_DIR to a folder with a short name");
    }
    if (rc == ERR_OK) {
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(ret->sun_path, path, strlen(path) + 1);
    }
    free(path);
    return rc;
}

/* ---- talking ---- */

static bool same_user(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void set_times(int fd)
{
    const struct timeval wait = {.tv_sec = WAIT_S};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}

static bool read_full(int fd, void *to, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, (uint8_t *)to + got, len - got);

        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        got += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Connect and say ${what}: -1, or the connection. */
static int say(const char *folder, char what, int *ret_code)
{
    struct sockaddr_un to;
    int fd;

    *ret_code = socket_address(folder, &to, NULL);
    if (*ret_code != ERR_OK)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        *ret_code = ERR_NOTFOUND;
    else if (!same_user(fd))
        *ret_code = ERR_REFUSED;
    if (*ret_code == ERR_OK) {
        set_times(fd);
        if (send(fd, &what, 1, MSG_NOSIGNAL) != 1)
            *ret_code = ERR_IO;
    }
    if (*ret_code == ERR_OK)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int agent_ask(const char *folder, struct vault_keys *ret)
{
    struct secret answer = {0};
    struct vault_keys keys = {0};
    int rc, fd = say(folder, 'K', &rc);

    if (fd < 0)
        return rc;
    rc = secret_new(&answer, ANSWER_LEN, NULL);
    if (rc == ERR_OK && !read_full(fd, answer.data, answer.len))
        rc = ERR_PROTO;
    close(fd);
    if (rc == ERR_OK) {
        memcpy(keys.id, answer.data, sizeof(keys.id));
        rc = secret_copy(&keys.master, answer.data + sizeof(keys.id), VAULT_FILE_KEY_LEN, NULL);
    }
    if (rc == ERR_OK)
        *ret = keys;
    secret_free(&answer);
    return rc;
}

int agent_end(const char *folder, bool *ret_was, struct err *err)
{
    char c;
    int rc, fd = say(folder, 'Q', &rc);

    if (fd >= 0) {
        (void)!read(fd, &c, 1); /* it closes when its socket is gone */
        close(fd);
    }
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return err_set(err, rc, "cannot end the agent");
    if (ret_was != NULL)
        *ret_was = rc == ERR_OK;
    return ERR_OK;
}

/* ---- starting ---- */

static int listen_at(const struct sockaddr_un *at, int *ret, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, errno, "cannot make a socket for the agent");
    (void)unlink(at->sun_path); /* of one that was killed */
    if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 && chmod(at->sun_path, 0600) == 0 &&
        listen(fd, BACKLOG) == 0) {
        *ret = fd;
        return ERR_OK;
    }
    (void)err_sys(err, errno, "cannot listen at '%s'", at->sun_path);
    close(fd);
    return ERR_IO;
}

/* What the agent finds: orders on standard input, its socket, and nothing to write to; an errno. */
static int hand_over(posix_spawn_file_actions_t *actions, int orders, int listening)
{
    int rc = posix_spawn_file_actions_adddup2(actions, orders, STDIN_FILENO);

    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, listening, LISTEN_FD);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return rc;
}

static int spawn(const char *program, int orders, int listening, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t) "satchel", (char *)(uintptr_t) "agent", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return err_sys(err, rc, "cannot start the agent");
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
        if (rc == 0)
            rc = hand_over(&actions, orders, listening);
        if (rc == 0)
            rc = posix_spawnp(&pid, program, &actions, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? ERR_OK : err_sys(err, rc, "cannot start the agent '%s'", program);
}

/* vault ID, master key, u64 ms, the socket's path */
static int write_orders(int fd, const struct vault_keys *keys, uint64_t ms,
                        const struct sockaddr_un *at, struct err *err)
{
    struct secret s = {0};
    int rc = secret_new(&s, ORDER_LEN, err);

    if (rc == ERR_OK) {
        memcpy(s.data, keys->id, VAULT_FILE_ID_LEN);
        memcpy(s.data + VAULT_FILE_ID_LEN, keys->master.data, VAULT_FILE_KEY_LEN);
        put_be64(s.data + ANSWER_LEN, ms);
        memcpy(s.data + ANSWER_LEN + 8, at->sun_path, sizeof(at->sun_path));
        rc = fs_write_all(fd, s.data, s.len, err);
    }
    secret_free(&s);
    return rc;
}

int agent_start(const struct agent_plan *plan, const struct vault_keys *keys, struct err *err)
{
    struct sockaddr_un at;
    int orders[2] = {-1, -1}, listening = -1;
    int rc = agent_end(plan->folder, NULL, err);

    if (rc == ERR_OK)
        rc = socket_address(plan->folder, &at, err);
    if (rc == ERR_OK)
        rc = listen_at(&at, &listening, err);
    if (rc == ERR_OK && pipe2(orders, O_CLOEXEC) != 0)
        rc = err_sys(err, errno, "cannot make a pipe");
    if (rc == ERR_OK)
        rc = spawn(plan->program, orders[0], listening, err);
    if (rc == ERR_OK)
        rc = write_orders(orders[1], keys, plan->ms, &at, err);
    if (rc != ERR_OK && listening >= 0)
        (void)unlink(at.sun_path);
    for (int i = 0; i < 2; i++)
        if (orders[i] >= 0)
            close(orders[i]);
    if (listening >= 0)
        close(listening);
    return rc;
}

/* ---- being one ---- */

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

/* Milliseconds of a clock that also counts while the machine sleeps. */
static uint64_t now_ms(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One visitor; true: it was told to end, and the connection is closed by who ends it. */
static bool serve(int fd, const struct secret *orders)
{
    char what = 0;

    set_times(fd);
    if (!same_user(fd) || !read_full(fd, &what, 1))
        return false;
    if (what == 'K')
        (void)!send(fd, orders->data, ANSWER_LEN, MSG_NOSIGNAL);
    return what == 'Q';
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGHUP, &act, NULL);
}

/* Until its time is over: -1, or the connection that has ended it. */
static int serve_all(const struct secret *orders)
{
    const uint64_t until = now_ms() + get_be64(orders->data + ANSWER_LEN);

    while (ended == 0 && now_ms() < until) {
        struct pollfd p = {.fd = LISTEN_FD, .events = POLLIN};
        uint64_t left = until - now_ms();
        int fd;

        if (poll(&p, 1, left < 60000 ? (int)left + 1 : 60000) <= 0)
            continue;
        fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && serve(fd, orders))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

int agent_run(struct err *err)
{
    struct secret orders = {0};
    const char *path;
    struct stat mine, there;
    int last, rc = secret_new(&orders, ORDER_LEN, err);

    if (rc != ERR_OK)
        return rc;
    catch_signals();
    if (!read_full(STDIN_FILENO, orders.data, orders.len) || orders.data[ORDER_LEN - 1] != '\0' ||
        get_be64(orders.data + ANSWER_LEN) > AGENT_MS_MAX) {
        secret_free(&orders);
        rc = err_set(err, ERR_INVALID, "the agent is started by 'satchel unlock' alone");
        err_hint(err, "use: satchel unlock");
        return rc;
    }
    path = (const char *)orders.data + ANSWER_LEN + 8;
    rc = stat(path, &mine) == 0 ? ERR_OK : ERR_NOTFOUND;
    last = serve_all(&orders);
    /* Another agent's socket may stand there by now. */
    if (rc == ERR_OK && stat(path, &there) == 0 && there.st_ino == mine.st_ino)
        (void)unlink(path);
    secret_free(&orders);
    if (last >= 0)
        close(last);
    return ERR_OK;
}
