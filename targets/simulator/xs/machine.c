/*
 * Two machines: one whose heap becomes ROM (built-ins, `device`, names), and its clone, which has
 * the heap of a board and runs the firmware. Also what XS asks of a platform, and the end of a
 * program that threw or ran out of memory. Knows nothing of flash, sockets or time.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"

/* A recursion that fills the stack has a thousand frames, all alike. */
#define MOST_FRAMES 10

static txMachine* deviceMachine;
static Bytecode* bundle;
static int promiseJobsPending;
static int reporting;

void fxQueuePromiseJobs(txMachine* the)
{
	promiseJobsPending = 1;
}

/* Says on stderr what was thrown and where. Reads `stack`, so it may run script. */
static void reportException(txMachine* the, const char* what)
{
	txSlot thrown = mxException;
	mxException = mxUndefined;
	if (reporting++)
		hostExit(1);
	mxTry(the) {
		mxPush(thrown);
		if ((thrown.kind == XS_REFERENCE_KIND) && thrown.value.reference->next
				&& (thrown.value.reference->next->kind == XS_ERROR_KIND))
			mxGetID(mxID(_stack));
		fprintf(stderr, "xs-device: %s: %s\n", what, fxToString(the, the->stack));
		mxPop();
	}
	mxCatch(the) {
		fprintf(stderr, "xs-device: %s, and what was thrown cannot be told\n", what);
	}
}

static void runScript(txMachine* the, Bytecode* code)
{
	mxTry(the) {
		txSlot* realm = mxModuleInstanceInternal(mxProgram.value.reference)->value.module.realm;
		txScript script;
		memset(&script, 0, sizeof(script));
		script.codeBuffer = code->code;
		script.codeSize = code->size;
		fxRunScript(the, &script, mxRealmGlobal(realm), C_NULL,
			mxRealmClosures(realm)->value.reference, C_NULL, mxProgram.value.reference);
		mxPop();
	}
	mxCatch(the) {
		reportException(the, "uncaught exception");
		hostExit(1);
	}
}

/* Strings and names of the ROM must not move with a collection of the clone. */
static void pinValue(txSlot* slot)
{
	switch (slot->kind) {
	case XS_STRING_KIND: slot->kind = XS_STRING_X_KIND; break;
	case XS_KEY_KIND: slot->kind = XS_KEY_X_KIND; break;
	case XS_BIGINT_KIND: slot->kind = XS_BIGINT_X_KIND; break;
	case XS_CODE_KIND: slot->kind = XS_CODE_X_KIND; break;
	default: break;
	}
}

static void turnIntoRom(txMachine* rom)
{
	txSlot* heap;
	txSlot* slot;
	for (heap = rom->firstHeap; heap; heap = heap->next) {
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			pinValue(slot);
			/* Items of an array are slots in a chunk. */
			if ((slot->kind == XS_ARRAY_KIND) && slot->value.array.address) {
				txIndex count = fxGetIndexSize(rom, slot);
				txIndex index;
				for (index = 0; index < count; index++)
					pinValue(slot->value.array.address + index);
			}
		}
	}
}

static int hasNoAlias(txSlot* internal)
{
	switch (internal->kind) {
	case XS_ARRAY_BUFFER_KIND:
	case XS_DATA_VIEW_KIND:
	case XS_MAP_KIND:
	case XS_PROMISE_KIND:
	case XS_PROXY_KIND:
	case XS_REGEXP_KIND:
	case XS_SET_KIND:
	case XS_TYPED_ARRAY_KIND:
	case XS_WEAK_MAP_KIND:
	case XS_WEAK_REF_KIND:
	case XS_WEAK_SET_KIND:
		return 1;
	default:
		return 0;
	}
}

/*
 * A change to an object in ROM goes to an alias in the heap; these kinds have none, so the linker
 * of a board freezes them and a change throws. Here it would be written into the other machine,
 * which no collection of the clone looks at: slots would be freed that are in use.
 */
static void freezeWhatHasNoAlias(txMachine* rom)
{
	txSlot* heap;
	txSlot* slot;
	for (heap = rom->firstHeap; heap; heap = heap->next) {
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			txSlot* property = slot->next;
			if ((slot->kind != XS_INSTANCE_KIND) || !property
					|| !(property->flag & XS_INTERNAL_FLAG) || !hasNoAlias(property))
				continue;
			slot->flag |= XS_DONT_PATCH_FLAG;
			for (; property; property = property->next)
				property->flag |= XS_DONT_DELETE_FLAG
					| ((property->kind == XS_ACCESSOR_KIND) ? 0 : XS_DONT_SET_FLAG);
		}
	}
}

/*
 * What the preloaded bundle defines is ROM, as modules that a manifest names under `preload` are:
 * its classes and functions cost the firmware's heap nothing.
 */
txMachine* machineMake(txCreation* creation, const FlashOptions* flash, const Bundles* bundles)
{
	txCreation romCreation;
	txMachine* rom;
	memset(&romCreation, 0, sizeof(romCreation));
	romCreation.initialChunkSize = 4 << 20;
	romCreation.incrementalChunkSize = 1 << 20;
	romCreation.initialHeapCount = 1 << 16;
	romCreation.incrementalHeapCount = 1 << 14;
	romCreation.stackCount = 4096;
	romCreation.initialKeyCount = 4096;
	romCreation.incrementalKeyCount = 1024;
	/* The clone copies the table of names, so both have the same size. */
	romCreation.nameModulo = creation->nameModulo;
	romCreation.symbolModulo = creation->symbolModulo;
	romCreation.parserBufferSize = 1 << 20;
	romCreation.parserTableModulo = 1993;
	rom = fxCreateMachine(&romCreation, "rom", C_NULL, XS_NO_ID);
	if (!rom) {
		fprintf(stderr, "xs-device: no memory for the ROM machine\n");
		hostExit(EXIT_USAGE);
	}
	fxBeginHost(rom);
	objectsBuild(rom, flash);
	if (bundles->preloadPath)
		runScript(rom, bytecodeLoad(rom, bundles->preloadPath));
	bundle = bytecodeLoad(rom, bundles->bundlePath);
	fxEndHost(rom);
	/* What is no longer used must not be looked at: its parts may be others' by now. */
	fxCollectGarbage(rom);
	freezeWhatHasNoAlias(rom);
	fxShareMachine(rom);
	turnIntoRom(rom);
	memset(&counters, 0, sizeof(counters));
	deviceMachine = fxCloneMachine(creation, rom, "device", C_NULL);
	if (!deviceMachine)
		hostExit(EXIT_MEMORY);
	objectsRemember(deviceMachine);
	return deviceMachine;
}

/* Peaks, capacities and what lives: of the clone. The order stands in xs-host.ts. */
void machineReport(txMachine* the, txNumber* values)
{
	static txU2 lastCollections;
	static txNumber collections;
	txU2 now = the->garbageCollectionCount;
	collections += (txU2)(now - lastCollections);
	lastCollections = now;
	if (the->stackPeak > the->stack)
		the->stackPeak = the->stack;
	values[0] = (txNumber)counters.slots;
	values[1] = (txNumber)counters.chunks;
	values[2] = (txNumber)counters.chunkBytes;
	values[3] = collections;
	values[4] = the->currentHeapCount;
	values[5] = the->currentChunksSize;
	values[6] = the->peakHeapCount;
	values[7] = the->peakChunksSize;
	values[8] = the->stackTop - the->stackPeak;
	values[9] = the->maximumHeapCount;
	values[10] = the->maximumChunksSize;
	values[11] = the->stackTop - the->stackBottom;
	values[12] = the->keyIndex - the->keyOffset;
	values[13] = the->keyCount - the->keyOffset;
	values[14] = sizeof(txSlot);
	values[15] = bytecodeSize();
}

/* A board would restart here. `full` says what ran out, the next line what was in use. */
static void reportFull(txMachine* the, const char* full)
{
	txNumber values[REPORT_COUNT];
	machineReport(the, values);
	fprintf(stderr, "xs-device: out of memory: %s\n", full);
	fprintf(stderr, "xs-device: in use %.0f of %.0f slots of %.0f bytes, %.0f of %.0f bytes of"
		" chunks, %.0f of %.0f stack slots, %.0f of %.0f keys\n", values[4], values[9], values[14],
		values[5], values[10], values[8], values[11], values[12], values[13]);
	printFrames(the, MOST_FRAMES);
}

void fxAbort(txMachine* the, int status)
{
	char text[96];
	const char* owner = (the == deviceMachine || !deviceMachine) ? "" : " of the ROM machine";
	switch (status) {
	case XS_NOT_ENOUGH_MEMORY_EXIT:
		if (counters.wanted == WANTED_CHUNK)
			snprintf(text, sizeof(text), "chunks%s are full: %d bytes were asked for", owner,
				(int)counters.wantedBytes);
		else
			snprintf(text, sizeof(text), "slots%s are full", owner);
		reportFull(the, text);
		hostExit(EXIT_MEMORY);
	case XS_STACK_OVERFLOW_EXIT:
		reportFull(the, "the stack is full");
		hostExit(EXIT_STACK);
	case XS_NO_MORE_KEYS_EXIT:
		reportFull(the, "keys are full: too many property names made at run time");
		hostExit(EXIT_KEYS);
	case XS_UNHANDLED_EXCEPTION_EXIT:
		reportException(the, "uncaught exception");
		hostExit(1);
	case XS_UNHANDLED_REJECTION_EXIT:
		reportException(the, "unhandled rejection");
		hostExit(1);
	default:
		fprintf(stderr, "xs-device: XS stopped with status %d\n", status);
		hostExit(1);
	}
}

void machineRunBundle(txMachine* the)
{
	fxBeginHost(the);
	runScript(the, bundle);
	fxEndHost(the);
}

/* Calls a function of the firmware and returns its result as a number; NaN where it is none. */
txNumber machineCall(txMachine* the, txSlot* function, txNumber argument)
{
	volatile txNumber result = C_NAN;
	if (function->kind != XS_REFERENCE_KIND)
		return result;
	fxBeginHost(the);
	mxTry(the) {
		mxPushUndefined();
		mxPushSlot(function);
		mxCall();
		mxPushNumber(argument);
		mxRunCount(1);
		if ((the->stack->kind == XS_INTEGER_KIND) || (the->stack->kind == XS_NUMBER_KIND))
			result = fxToNumber(the, the->stack);
		mxPop();
	}
	mxCatch(the) {
		reportException(the, "uncaught exception");
		hostExit(1);
	}
	fxEndHost(the);
	return result;
}

void machineRunPromiseJobs(txMachine* the)
{
	while (promiseJobsPending) {
		promiseJobsPending = 0;
		fxRunPromiseJobs(the);
		fxEndJob(the);
	}
	/* As in Node: a rejection that nobody handles by now ends the program. */
	fxCheckUnhandledRejections(the, 1);
}
