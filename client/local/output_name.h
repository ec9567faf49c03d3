/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output_name - what a file is called here whose name somebody else has chosen.
 *
 * A sender must not make a file that a shell or a program reads unasked (".bash_login"), that a
 * command takes for an option ("-rf"), or whose name is shown as another one.
 *
 * Threads: any.  Never blocks, never fails.
 */
#ifndef CLIENT_LOCAL_OUTPUT_NAME_H
#define CLIENT_LOCAL_OUTPUT_NAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * ${name} with '_' in place of a '.' or '-' at its beginning, and of control characters (C0, DEL,
 * C1) and marks that turn text around, wherever they stand.  Other bytes stay, UTF-8 or not.
 * ${cap} bytes at ${ret} hold ${name} and its NUL.  True if anything was replaced.
 */
bool output_name_safe(const char *name, char *ret, size_t cap);

#endif /* CLIENT_LOCAL_OUTPUT_NAME_H */
