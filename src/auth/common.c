// SPDX-License-Identifier: Apache-2.0
// The list is of stems: people make them long enough with digits and signs, and so do guessers.
#include "auth/common.h"

#include "model/user.h"

enum { DISTINCT_MIN = 3 };

static const char *const stems[] = {
    "abc", "abcdef", "abcdefghijkl", "access", "admin", "adminadmin", "administrator", "baseball", "batman", "changeit",
    "changeme", "chronos", "computer", "default", "dragon", "football", "freedom", "hello", "helloworld", "iloveyou",
    "jesus", "letmein", "liverpool", "login", "loveyou", "master", "michael", "monkey", "mypassword", "newpassword",
    "ninja", "p@ssw0rd", "p@ssword", "pass", "passw0rd", "passwd", "password", "princess", "qazwsx", "qazwsxedc",
    "qwer", "qwerty", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdf", "root",
    "scheduler", "secret", "shadow", "starwars", "summer", "sunshine", "superman", "superuser", "temppassword",
    "test", "testing", "testpassword", "thisisapassword", "trustno", "user", "welcome", "welcometo", "winter",
    "1q2w3e4r5t6y", "1qaz2wsx3edc", "1qaz2wsx", "1q2w3e4r", "q1w2e3r4t5y6", "123qwe", "abc123", "a1b2c3d4e5f6", "",
};
enum { STEMS = sizeof stems / sizeof stems[0] };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80; }

static bool is_stem(struct str s)
{
    for (size_t i = 0; i < STEMS; i++)
        if (str_is(s, stems[i]))
            return true;
    return false;
}

// The same text two times and more.
static bool repeats_stem(struct str s)
{
    for (size_t part = 1; part <= s.n / 2; part++) {
        bool again = s.n % part == 0 && is_stem((struct str){s.p, part});
        for (size_t i = part; again && i < s.n; i++)
            again = s.p[i] == s.p[i - part];
        if (again)
            return true;
    }
    return false;
}

// Each character is the one before, or its neighbour in the same direction: "aaaa", "123456", "fedcba".
static bool is_run(struct str s)
{
    for (int step = -1; step <= 1; step++) {
        size_t i = 1;
        while (i < s.n && (s.p[i] - s.p[i - 1] == step || (s.p[i] == '0' && s.p[i - 1] == '9')))
            i++;
        if (i == s.n)
            return true;
    }
    return false;
}

static bool is_poor(struct str s)
{
    bool seen[256] = {false};
    int distinct = 0;
    for (size_t i = 0; i < s.n; i++)
        if (!seen[(unsigned char)s.p[i]]) {
            seen[(unsigned char)s.p[i]] = true;
            distinct++;
        }
    return distinct < DISTINCT_MIN;
}

bool password_common(struct str password)
{
    char text[PASSWORD_MAX];
    if (password.n > sizeof text)
        return false;
    for (size_t i = 0; i < password.n; i++) {
        char c = password.p[i];
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    struct str whole = {text, password.n}, core = whole;
    while (core.n > 0 && !is_letter(core.p[core.n - 1]))
        core.n--;
    struct str tail_cut = core;
    while (core.n > 0 && !is_letter(core.p[0])) {
        core.p++;
        core.n--;
    }
    return is_poor(whole) || is_run(whole) || is_stem(whole) || is_stem(tail_cut) || is_stem(core) ||
           repeats_stem(whole) || repeats_stem(core);
}
