/* SPDX-License-Identifier: Apache-2.0 */
/* qr - QR codes drawn with the characters of a terminal.  Threads: any. */
#ifndef CLIENT_CLI_QR_H
#define CLIENT_CLI_QR_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Draw ${text} with half blocks (two modules a character) and its quiet zone, dark on
 * light whatever the terminal's colours are if ${colour}, else as it comes.  False: too long for a
 * code, or no memory; nothing was drawn.
 */
bool qr_draw(FILE *to, const char *text, bool colour);

#endif /* CLIENT_CLI_QR_H */
