/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_show - the daemon's answers for people, on standard output. */
#ifndef SERVER_CTL_SHOW_H
#define SERVER_CTL_SHOW_H

#include <jansson.h>

/* In a result with a list: how many there are, where the daemon tells; not all need be listed. */
#define CTL_SHOW_FOUND "found"

/* Print a result; returns the exit code. */
typedef int ctl_show_fn(const json_t *result);

ctl_show_fn ctl_show_status, ctl_show_users, ctl_show_user, ctl_show_invite, ctl_show_invites,
    ctl_show_verify, ctl_show_instances, ctl_show_rotated, ctl_show_done, ctl_show_reload;

/* The exit code that goes with a result: 1 if it tells of faults. */
int ctl_show_code(const json_t *result);

#endif /* SERVER_CTL_SHOW_H */
