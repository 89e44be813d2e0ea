/*
 * `device.storage`: the flash chip as a ReadWriteStorage (hal/storage.ts). A call takes no slot
 * and no chunk. Knows arguments and results; the chip is in flash.c.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "flash.h"
#include "objects.h"

/* A breach of the contract is a programming error: it throws. The chip itself never fails. */
static void finish(txMachine* the, const char* trouble)
{
	if (trouble)
		mxUnknownError("%s", trouble);
	returnNumber(the, 0);
}

static void storageRead(txMachine* the)
{
	txNumber address = wholeArgument(the, 0);
	txNumber at = wholeArgument(the, 2);
	txNumber length = wholeArgument(the, 3);
	finish(the, flashRead(address, roomArgument(the, 1, at, length), length));
}

static void storageWrite(txMachine* the)
{
	txNumber address = wholeArgument(the, 0);
	txNumber at = wholeArgument(the, 2);
	txNumber length = wholeArgument(the, 3);
	finish(the, flashWrite(address, bytesArgument(the, 1, at, length), length));
}

static void storageErase(txMachine* the)
{
	txNumber address = wholeArgument(the, 0);
	finish(the, flashErase(address, wholeArgument(the, 1)));
}

void storageObjectBuild(txMachine* the, const FlashOptions* options)
{
	txSlot* last;
	if (!options->path) {
		mxPushNull();
		return;
	}
	last = beginObject(the);
	last = addNumber(the, last, "capacity", options->capacity);
	last = addNumber(the, last, "eraseSize", options->eraseSize);
	last = addNumber(the, last, "writeSize", options->writeSize);
	last = addNumber(the, last, "eraseBlockSize", options->eraseSize);
	last = addFunction(the, last, "read", storageRead);
	last = addFunction(the, last, "write", storageWrite);
	addFunction(the, last, "erase", storageErase);
}
