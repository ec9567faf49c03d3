/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beneath - files below a folder that cannot be led out of it, whatever links
 * stand there or come meanwhile.
 *
 * Touches the disk: not for the loop thread.  Threads: any.
 */
#ifndef CLIENT_LOCAL_BENEATH_H
#define CLIENT_LOCAL_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * open() of ${path}, relative to the folder ${dir}, following no link at all and
 * with O_CLOEXEC; -1 with errno.  Without openat2(2), component by component.
 */
int beneath_open(int dir, const char *path, int flags, mode_t mode);

/*
 * May a symbolic link that stands ${depth} folders below a root have this target?  Yes, if it can
 * lead nowhere but below that root: relative, and ".." only in front, at most ${depth} times.
 * Links that all are so cannot lead outside together either.
 */
bool beneath_link_stays(const char *target, size_t depth);

#endif /* CLIENT_LOCAL_BENEATH_H */
