/*
 * The heap of XS with counters: how many slots and chunks were ever allocated. The XS source is
 * included unchanged; its allocating functions get another name here, and functions of the old
 * names count and pass on. Knows nothing of what the memory is for.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 * It includes xsMemory.c of the Moddable SDK (LGPL-3.0-or-later), so a binary is under the LGPL.
 */
#include "xsAll.h"
#include "device.h"

#define fxDuplicateSlot duplicateSlotUncounted
#define fxNewChunk newChunkUncounted
#define fxNewGrowableChunk newGrowableChunkUncounted
#define fxNewSlot newSlotUncounted
#define fxRenewChunk renewChunkUncounted
txSlot* fxDuplicateSlot(txMachine* the, txSlot* slot);
void* fxNewChunk(txMachine* the, txSize size);
void* fxNewGrowableChunk(txMachine* the, txSize size, txSize capacity);
txSlot* fxNewSlot(txMachine* the);
void* fxRenewChunk(txMachine* the, void* data, txSize size);

#include "xsMemory.c"

#undef fxDuplicateSlot
#undef fxNewChunk
#undef fxNewGrowableChunk
#undef fxNewSlot
#undef fxRenewChunk

Counters counters;

static txSize chunkSizeOf(void* data)
{
	return ((txChunk*)((txByte*)data - sizeof(txChunk)))->size;
}

/* `wanted` stays set when the allocation never returns, and tells the report what was full. */

txSlot* fxNewSlot(txMachine* the)
{
	txSlot* slot;
	counters.wanted = WANTED_SLOT;
	slot = newSlotUncounted(the);
	counters.wanted = WANTED_NOTHING;
	counters.slots++;
	return slot;
}

txSlot* fxDuplicateSlot(txMachine* the, txSlot* source)
{
	txSlot* slot;
	counters.wanted = WANTED_SLOT;
	slot = duplicateSlotUncounted(the, source);
	counters.wanted = WANTED_NOTHING;
	counters.slots++;
	return slot;
}

static void* countChunk(void* data)
{
	counters.wanted = WANTED_NOTHING;
	if (data) {
		counters.chunks++;
		counters.chunkBytes += chunkSizeOf(data);
	}
	return data;
}

void* fxNewChunk(txMachine* the, txSize size)
{
	counters.wanted = WANTED_CHUNK;
	counters.wantedBytes = size;
	return countChunk(newChunkUncounted(the, size));
}

void* fxNewGrowableChunk(txMachine* the, txSize size, txSize capacity)
{
	counters.wanted = WANTED_CHUNK;
	counters.wantedBytes = capacity;
	return countChunk(newGrowableChunkUncounted(the, size, capacity));
}

/* A chunk that grows in place is no new chunk, but its growth is allocated bytes. */
void* fxRenewChunk(txMachine* the, void* data, txSize size)
{
	txSize before = chunkSizeOf(data);
	void* result = renewChunkUncounted(the, data, size);
	if (result && (chunkSizeOf(result) > before))
		counters.chunkBytes += chunkSizeOf(result) - before;
	return result;
}
