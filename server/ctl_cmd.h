/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_cmd - the commands of the operator's socket; what each does stands in satchelctl(8). */
#ifndef SERVER_CTL_CMD_H
#define SERVER_CTL_CMD_H

#include "server/ctl_client.h"

struct ctl_cmd {
    const char *words[2]; /* the second may be NULL */
    unsigned min_args, max_args;
    void (*run)(struct ctl_client *cl);
};

/* The command of a line's ${n} words, with the number of words that name it; NULL: none. */
const struct ctl_cmd *ctl_cmd_find(const char *const *words, size_t n, size_t *ret_used);

/* One command each, in the order of satchelctl's help. */
typedef void ctl_cmd_fn(struct ctl_client *cl);
ctl_cmd_fn ctl_cmd_status, ctl_cmd_users, ctl_cmd_user_show, ctl_cmd_user_suspend,
    ctl_cmd_user_resume, ctl_cmd_quota, ctl_cmd_invite_create, ctl_cmd_invite_list, ctl_cmd_verify,
    ctl_cmd_instance_list, ctl_cmd_instance_rotate, ctl_cmd_clock, ctl_cmd_reload, ctl_cmd_drain;

#endif /* SERVER_CTL_CMD_H */
