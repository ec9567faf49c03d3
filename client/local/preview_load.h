/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_load - loads the module of previews when it is first needed.
 *
 * Threads: any; the module stays loaded until the process ends.  Loading
 * blocks on the disk.
 */
#ifndef CLIENT_LOCAL_PREVIEW_LOAD_H
#define CLIENT_LOCAL_PREVIEW_LOAD_H

#include <stddef.h>

#include "common/err.h"
#include "models/preview_module.h"

/* The module.  ERR_UNSUPPORTED with a hint if it, or a library of it, is not installed. */
MUST_CHECK int preview_load(const struct preview_module **ret_module, struct err *err);

/*
 * The path of weights: ${name} itself if it has a slash or a dot, else the
 * file of that name beside the module, as "general".  ERR_NOTFOUND with a hint.
 */
MUST_CHECK int preview_weights(const char *name, char *ret_path, size_t size, struct err *err);

#endif /* CLIENT_LOCAL_PREVIEW_LOAD_H */
