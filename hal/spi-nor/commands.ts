/**
 * The commands and register bits of serial NOR flash, by their names in the W25Q datasheets. They
 * are the same for every maker as far as SFDP (JESD216) does not say otherwise.
 */
export const WRITE_ENABLE = 0x06
export const WRITE_DISABLE = 0x04
export const READ_STATUS_1 = 0x05
/** Winbond only: Macronix and ISSI chips take 0x35 as the order to speak four bits at a time. */
export const READ_STATUS_2 = 0x35
export const READ_STATUS_3 = 0x15
export const WRITE_STATUS_1 = 0x01
/** Reads with a dummy byte after the address: at every clock the chip has. */
export const FAST_READ = 0x0b
export const FAST_READ_4 = 0x0c
export const PAGE_PROGRAM = 0x02
export const PAGE_PROGRAM_4 = 0x12
export const SECTOR_ERASE = 0x20
export const BLOCK_ERASE_32K = 0x52
export const BLOCK_ERASE_64K = 0xd8
export const ENTER_4_BYTE = 0xb7
export const EXIT_4_BYTE = 0xe9
export const POWER_DOWN = 0xb9
export const RELEASE_POWER_DOWN = 0xab
export const READ_JEDEC_ID = 0x9f
export const READ_SFDP = 0x5a

/** Status register 1. */
export const BUSY = 0x01
export const WRITE_ENABLED = 0x02
/** BP0 to BP2: 0 where no block is protected, whatever TB and SEC say. */
export const BLOCK_PROTECT = 0x1c
/** Winbond, status register 2: what the block protect bits say is turned round. */
export const COMPLEMENT_PROTECT = 0x40
/** Winbond, status register 3: each block has a lock of its own, and all are locked at power-up. */
export const WRITE_PROTECT_SELECTION = 0x04
