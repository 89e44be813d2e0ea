/*
 * What the C files of the host share. Each part says in its own file what it does.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#ifndef HOLDFAST_XS_DEVICE_H
#define HOLDFAST_XS_DEVICE_H

#include "flash.h"
#include "xsAll.h"

/* Exit codes beside 0 and 1; those for memory are the stock XS worker's. */
#define EXIT_USAGE 2
#define EXIT_MEMORY 11
#define EXIT_STACK 12
#define EXIT_KEYS 16

/* memory.c: what was allocated since the start of the clone. */
enum { WANTED_NOTHING = 0, WANTED_SLOT, WANTED_CHUNK };

typedef struct {
	uint64_t slots;
	uint64_t chunks;
	uint64_t chunkBytes;
	int wanted;
	txSize wantedBytes;
} Counters;

extern Counters counters;

/* bytecode.c: bundles as ROM. From `at` on, until the next entry, bytecode is of line `line`. */
typedef struct {
	txSize at;
	txInteger line;
} LineEntry;

typedef struct {
	txByte* code;
	txSize size;
	txSize hostSize;
	txID fileID;
	LineEntry* lines;
	txSize lineCount;
	txSize lineCapacity;
} Bytecode;

Bytecode* bytecodeLoad(txMachine* rom, const char* path);
txNumber bytecodeSize(void);
void printFrames(txMachine* the, int most);
void captureErrorStack(txMachine* the, txSlot* internal, txSlot* from);

/* machine.c: the ROM machine and its clone. `preloadPath` may be null. */
typedef struct {
	const char* preloadPath;
	const char* bundlePath;
} Bundles;

txMachine* machineMake(txCreation* creation, const FlashOptions* flash, const Bundles* bundles);
void machineRunBundle(txMachine* the);
void machineRunPromiseJobs(txMachine* the);
txNumber machineCall(txMachine* the, txSlot* function, txNumber argument);
#define REPORT_COUNT 16
void machineReport(txMachine* the, txNumber* values);

/* objects.c: `device` and the other globals. */
void objectsBuild(txMachine* rom, const FlashOptions* flash);
void objectsRemember(txMachine* the);

/* timers.c: the table of timers. */
txNumber timersDue(void);
int timersRun(txMachine* the, txNumber now);

/* arguments.c: arguments of a call, checked; a wrong one throws. */
txU1* bytesArgument(txMachine* the, int index, txNumber at, txNumber length);
txU1* roomArgument(txMachine* the, int index, txNumber at, txNumber length);
txNumber* doublesArgument(txMachine* the, int index, int count);
txNumber wholeArgument(txMachine* the, int index);
const char* textArgument(txMachine* the, int index);
void returnNumber(txMachine* the, txNumber value);

/* main.c: the clock, the command line, and the only way out of the process. */
XS_FUNCTION_NORETURN void hostExit(int code);
txNumber hostNow(void);
extern const char* hostConfig;
extern int hostReportFd;

#endif
