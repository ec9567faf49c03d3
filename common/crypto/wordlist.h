/* SPDX-License-Identifier: Apache-2.0 */
/* wordlist - the 2,048 words of BIP-39's English list, each at most 8 letters.  Threads: any. */
#ifndef COMMON_CRYPTO_WORDLIST_H
#define COMMON_CRYPTO_WORDLIST_H

enum { WORDLIST_COUNT = 2048, WORDLIST_WORD_MAX = 8 };

/* Word number ${index}, which is below WORDLIST_COUNT. */
const char *wordlist_word(unsigned index);

/* The number of a word in lower case, or -1. */
int wordlist_find(const char *word);

#endif /* COMMON_CRYPTO_WORDLIST_H */
