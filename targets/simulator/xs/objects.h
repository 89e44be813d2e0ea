/*
 * How the parts of `device` are built in the ROM machine, where they cost the firmware's heap
 * nothing; objects.c has the text.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#ifndef HOLDFAST_XS_OBJECTS_H
#define HOLDFAST_XS_OBJECTS_H

#include "device.h"
#include "flash.h"

/* Pushes an empty object; the add functions take and return its last property. */
txSlot* beginObject(txMachine* the);
txSlot* addFunction(txMachine* the, txSlot* last, const char* name, txCallback callback);
txSlot* addAccessor(txMachine* the, txSlot* last, const char* name, txCallback get, txCallback set);
txSlot* addNumber(txMachine* the, txSlot* last, const char* name, txNumber value);
/* Makes what is on the stack a property, and pops it. */
txSlot* addTop(txMachine* the, txSlot* last, const char* name);
void defineTop(txMachine* the, const char* name);
void defineFunction(txMachine* the, const char* name, txCallback callback);

/* Each leaves one object on the stack. */
void storageObjectBuild(txMachine* the, const FlashOptions* options);
void transportObjectBuild(txMachine* the);
void systemObjectBuild(txMachine* the);

void timersBuild(txMachine* the);
void timersRemember(txMachine* the);

/* Functions of the firmware that the host calls; undefined until they are set. */
extern txSlot pollFunction;
extern txSlot readyFunction;

#endif
