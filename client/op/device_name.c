/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/device_name.h"

#include <string.h>
#include <unistd.h>

int device_name_take(const char *name, char ret[IDENTITY_NAME_SIZE], struct err *err)
{
    char host[256] = "";

    if (name != NULL && !identity_name_fits(name))
        return err_set(err, ERR_INVALID, "a device's name has at most %d bytes of text",
                       IDENTITY_NAME_SIZE - 1);
    if (name == NULL && gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    if (name == NULL)
        name = identity_name_fits(host) ? host : "";
    memcpy(ret, name, strlen(name) + 1);
    return ERR_OK;
}
