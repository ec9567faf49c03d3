/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt - asking people: passphrases and yes or no.
 *
 * Passphrases come from --passphrase-fd, from the program $SATCHEL_ASKPASS, or
 * from the terminal without echo; never from arguments or the environment.
 */
#ifndef CLIENT_CLI_PROMPT_H
#define CLIENT_CLI_PROMPT_H

#include <stdbool.h>

#include "client/cli/cli.h"

/*
 * Before anything is asked, and when the arguments have been read: the descriptor that this opens
 * could be taken for one of theirs.
 */
void prompt_setup(void);

/*
 * The command is to end: the question that is open, and each one that follows, ends as
 * interrupted, even if it does not wait yet.  For signal handlers.  True: a question is open, and
 * must end before the process does, for the sake of the terminal.
 */
bool prompt_stop(void);

/* A satchel_passphrase_cb; the cookie is the struct cli. */
long prompt_passphrase(void *cookie, bool fresh, char *buf, size_t size);

/*
 * The recovery words, from ${fd} or, if it is below 0, from the terminal, where they can be seen:
 * nobody types 24 words blindly.  One line or several, until there are 24.  Returns as a
 * satchel_passphrase_cb.
 */
long prompt_words(int fd, char *buf, size_t size);

/* Is there a terminal to ask on? */
bool prompt_possible(void);

enum prompt_said { PROMPT_NO, PROMPT_YES, PROMPT_STOPPED };

/*
 * Ask on the terminal until it is answered with "yes" or "no", a few times.  PROMPT_YES only for
 * "yes"; PROMPT_NO also at the end of input, and without a terminal; PROMPT_STOPPED: interrupted,
 * which allows nothing either.
 */
enum prompt_said prompt_yes(const char *question);

/*
 * Ask on the terminal: PROMPT_YES only for exactly ${word}; PROMPT_NO also without a terminal;
 * PROMPT_STOPPED: interrupted.
 */
enum prompt_said prompt_word(const char *question, const char *word);

/* For satchel_options.on_pin; the cookie is the struct cli. */
void prompt_pin(void *cookie, const struct satchel_pin_question *q);

/*
 * A one-time password or a recovery code: a line of ${fd}, or with -1 what is typed on the
 * terminal after ${question}; there, what is neither is asked for again, a few times.  The length;
 * 0: there is none; below 0: interrupted.  Behind it ${buf} is zeros up to ${size}, so that with
 * one more byte it is a string; a line that does not fit fills it, and is no code of any form.
 */
long prompt_otp(int fd, const char *question, char *buf, size_t size);

/* The same for a code of any form, that of a new device: it is not asked for again. */
long prompt_code(int fd, const char *question, char *buf, size_t size);

#endif /* CLIENT_CLI_PROMPT_H */
