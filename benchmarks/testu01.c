/* Runs a battery of TestU01 (L'Ecuyer and Simard, ACM TOMS 33(4), 2007) on 32-bit words read from standard input.

       testu01 smallcrush|crush|bigcrush RESULTS

   RESULTS gets one line "p<TAB>name of the statistic" for each p-value, then "words<TAB>how many were used".
   TestU01's own report goes to standard output. The words are in the byte order of this machine. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bbattery.h>
#include <swrite.h>
#include <unif01.h>

enum { CHUNK = 1 << 16 };

static uint32_t words[CHUNK];
static size_t at, have;
static double used;

static unsigned int next_word(void)
{
    if (at == have) {
        have = fread(words, sizeof words[0], CHUNK, stdin);
        at = 0;
        if (have == 0) {
            fprintf(stderr, "testu01: standard input ended after %.0f words\n", used);
            exit(3);
        }
    }
    used += 1;
    return words[at++];
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: testu01 smallcrush|crush|bigcrush RESULTS\n");
        return 2;
    }
    unif01_Gen *generator = unif01_CreateExternGenBits("words of standard input", next_word);
    swrite_Basic = FALSE;
    if (!strcmp(arguments[1], "smallcrush"))
        bbattery_SmallCrush(generator);
    else if (!strcmp(arguments[1], "crush"))
        bbattery_Crush(generator);
    else if (!strcmp(arguments[1], "bigcrush"))
        bbattery_BigCrush(generator);
    else {
        fprintf(stderr, "testu01: no battery %s\n", arguments[1]);
        return 2;
    }
    FILE *results = fopen(arguments[2], "w");
    if (!results) {
        perror(arguments[2]);
        return 1;
    }
    for (int i = 0; i < bbattery_NTests; i++)
        fprintf(results, "%.17g\t%s\n", bbattery_pVal[i], bbattery_TestNames[i]);
    fprintf(results, "%.0f\twords\n", used);
    unif01_DeleteExternGenBits(generator);
    return fclose(results) ? 1 : 0;
}
