/*
 * `device.system`: time, chance and bulk moves as a System (hal/system.ts), without a slot or a
 * chunk. Knows no flash and no socket.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "objects.h"

#if mxMacOSX
#include <sys/random.h>
#endif

static uint32_t crcTable[256];

static void makeCrcTable(void)
{
	uint32_t i;
	int bit;
	for (i = 0; i < 256; i++) {
		uint32_t value = i;
		for (bit = 0; bit < 8; bit++)
			value = (value & 1) ? (value >> 1 ^ 0xEDB88320u) : (value >> 1);
		crcTable[i] = value;
	}
}

static void systemNow(txMachine* the)
{
	mxResult->kind = XS_NUMBER_KIND;
	mxResult->value.number = hostNow();
}

static void systemWallSeconds(txMachine* the)
{
	returnNumber(the, (txNumber)time(C_NULL));
}

static void systemRandom(txMachine* the)
{
	uint32_t value;
	if (getentropy(&value, sizeof(value)))
		mxUnknownError("no entropy: %s", strerror(errno));
	returnNumber(the, value);
}

static void systemCopy(txMachine* the)
{
	txNumber targetAt = wholeArgument(the, 1);
	txNumber sourceAt = wholeArgument(the, 3);
	txNumber length = wholeArgument(the, 4);
	txU1* target = roomArgument(the, 0, targetAt, length);
	memmove(target, bytesArgument(the, 2, sourceAt, length), (size_t)length);
}

static void systemCrc32(txMachine* the)
{
	txNumber at = wholeArgument(the, 1);
	txNumber length = wholeArgument(the, 2);
	txU1* source = bytesArgument(the, 0, at, length);
	txU1* limit = source + (size_t)length;
	uint32_t crc = 0xFFFFFFFFu;
	while (source < limit)
		crc = crc >> 8 ^ crcTable[(crc ^ *source++) & 0xFF];
	returnNumber(the, ~crc);
}

static void systemHeapBytes(txMachine* the)
{
	txNumber slots = (txNumber)the->currentHeapCount * sizeof(txSlot);
	returnNumber(the, slots + (txNumber)the->currentChunksSize);
}

void systemObjectBuild(txMachine* the)
{
	txSlot* last = beginObject(the);
	makeCrcTable();
	last = addFunction(the, last, "now", systemNow);
	last = addFunction(the, last, "wallSeconds", systemWallSeconds);
	last = addFunction(the, last, "random", systemRandom);
	last = addFunction(the, last, "copy", systemCopy);
	last = addFunction(the, last, "heapBytes", systemHeapBytes);
	addFunction(the, last, "crc32", systemCrc32);
}
