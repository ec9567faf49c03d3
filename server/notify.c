/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_send(const char *lines)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (to.sun_path[0] == '@') /* an abstract name */
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void notify_reloading(void)
{
    struct timespec now = {0};
    char lines[80];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)now.tv_sec * 1000000 +
                       (unsigned long long)now.tv_nsec / 1000);
    notify_send(lines);
}

/* A number in the environment, 0 if it is missing or not one. */
static unsigned long long env_number(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long long n;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    n = strtoull(text, &end, 10);
    return *end == '\0' ? n : 0;
}

uint64_t notify_watchdog(void)
{
    unsigned long long pid = env_number("WATCHDOG_PID");

    if (pid != 0 && pid != (unsigned long long)getpid())
        return 0;
    return env_number("WATCHDOG_USEC") / 1000;
}

int notify_listen_fds(void)
{
    unsigned long long pid = env_number("LISTEN_PID"), n = env_number("LISTEN_FDS");

    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (pid != (unsigned long long)getpid() || n == 0 || n > NOTIFY_FDS_MAX)
        return 0;
    for (int i = 0; i < (int)n; i++)
        (void)fcntl(NOTIFY_FIRST_FD + i, F_SETFD, FD_CLOEXEC);
    return (int)n;
}
