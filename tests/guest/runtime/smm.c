#include "runtime/smm.h"

extern const u8 smm_entry[], smm_entry_end[], smm_relocate[], smm_relocate_end[];
bool smm_by_firmware;
u32 smm_first_base;

enum { kHostBridge = 0, kSouthBridge = 1, kPowerManagement = 3, kPmBaseRegister = 0x40, kDevActB = 0x58 };

static void pci_select(u8 device, u8 function, u8 offset) {
  outl(0xcf8, 0x80000000u | (u32)device << 11 | (u32)function << 8 | (offset & 0xfcu));
}
u32 pci_read(u8 device, u8 function, u8 offset) {
  pci_select(device, function, offset);
  return inl(0xcfc);
}
void pci_write(u8 device, u8 function, u8 offset, u32 value) {
  pci_select(device, function, offset);
  outl(0xcfc, value);
}
u8 smram_read(void) {
  pci_select(kHostBridge, 0, kSmramRegister);
  return inb(0xcfc + (kSmramRegister & 3));
}
void smram_write(u8 value) {
  pci_select(kHostBridge, 0, kSmramRegister);
  outb(0xcfc + (kSmramRegister & 3), value);
}
u16 pm_base(void) { return (u16)(pci_read(kSouthBridge, kPowerManagement, kPmBaseRegister) & 0xffc0); }

static void copy(u32 to, const u8* begin, const u8* end) {
  memcpy((void*)(uptr)to, begin, (size_t)(end - begin));
}

void smm_install(u32 base) {
  copy(base + kSmmEntry, smm_entry, smm_entry_end);
  memset((void*)(uptr)(base + kSmmInfo), 0, sizeof(struct smm_info));
  const u8 rsm[] = {0x0f, 0xaa};
  copy(base + kSmmAction, rsm, rsm + sizeof rsm);
}

void smm_set_action(u32 base, struct smm_code code) { copy(base + kSmmAction, code.begin, code.end); }

u32 smm_count(void) {
  u32 count = smm_info()->count;
  smm_info()->count = 0;
  return count;
}

void smm_setup(void) {
  // PIIX4 DEVACTB.APMC_EN and GLBCTL.SMI_EN.
  pci_write(kSouthBridge, kPowerManagement, kDevActB,
            pci_read(kSouthBridge, kPowerManagement, kDevActB) | 1u << 25);
  outl(pm_base() + 0x28, inl(pm_base() + 0x28) | 1);
  const u8 smram = smram_read();
  smm_by_firmware = smram & 8;
  if (smm_by_firmware) smram_write(smram | 0x40);
  copy((smm_by_firmware ? 0xa0000 : 0x30000) + kSmmEntry, smm_relocate, smm_relocate_end);
  smm_install(kSmmBase);
  if (smm_by_firmware) smram_write(smram);
  smi();
  smm_first_base = smm_info()->esp;
  if (smm_by_firmware) smram_write(2);
}
