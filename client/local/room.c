/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/room.h"

#include <errno.h>

#include "common/show.h"

static const char hint[] = "free some space there, or choose another folder with -o";

int room_missing(const char *shown, uint64_t needs, uint64_t left, struct err *err)
{
    char wanted[SHOW_SIZE], had[SHOW_SIZE];

    (void)err_set(err, ERR_IO, "no room for '%s': it needs %s, the disk has %s left", shown,
                  show_size(needs, wanted), show_size(left, had));
    err_hint(err, "%s", hint);
    return ERR_IO;
}

void room_hint(int errnum, struct err *err)
{
    if (errnum == ENOSPC || errnum == EDQUOT)
        err_hint(err, "%s", hint);
}
