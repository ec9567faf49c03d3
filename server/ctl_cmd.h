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

/* Each answers its command, sooner or later. */
void ctl_cmd_status(struct ctl_client *cl);
void ctl_cmd_users(struct ctl_client *cl);
void ctl_cmd_user_show(struct ctl_client *cl);
void ctl_cmd_user_suspend(struct ctl_client *cl);
void ctl_cmd_user_resume(struct ctl_client *cl);
void ctl_cmd_quota(struct ctl_client *cl);
void ctl_cmd_invite_create(struct ctl_client *cl);
void ctl_cmd_invite_list(struct ctl_client *cl);
void ctl_cmd_verify(struct ctl_client *cl);
void ctl_cmd_clock(struct ctl_client *cl);
void ctl_cmd_reload(struct ctl_client *cl);
void ctl_cmd_drain(struct ctl_client *cl);

#endif /* SERVER_CTL_CMD_H */
