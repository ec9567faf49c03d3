/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program: its wall clock is off by as many milliseconds as the file that
 * SATCHEL_TEST_CLOCK names says, and a test changes that while it runs.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret);
__attribute__((visibility("default"))) int gettimeofday(struct timeval *ret, void *zone);

static long long shift_ms(void)
{
    const char *path = getenv("SATCHEL_TEST_CLOCK");
    char text[24] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        close(fd);
    return n > 0 ? strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    long rc = syscall(SYS_clock_gettime, id, ret);
    long long shift;

    if (rc != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return (int)rc;
    shift = shift_ms();
    ret->tv_sec += (time_t)(shift / 1000);
    ret->tv_nsec += (long)(shift % 1000) * 1000000;
    if (ret->tv_nsec >= 1000000000) {
        ret->tv_nsec -= 1000000000;
        ret->tv_sec++;
    }
    return 0;
}

int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);

    (void)zone;
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return rc;
}
