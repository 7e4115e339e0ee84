#include "devices/display/vga.h"

#include <fmt/format.h>

#include <utility>

#include "common/bits.h"
#include "devices/display/text_screen.h"

namespace reprise::devices {
namespace {

// Offsets from 3B0h.
constexpr unsigned kMonochromeCrtc = 0x04;  // index and data; input status 1 at 3BAh
constexpr unsigned kColorCrtc = 0x24;
constexpr unsigned kStatus1AfterCrtc = 6;
constexpr unsigned kAttributeIndex = 0x10;
constexpr unsigned kAttributeRead = 0x11;
constexpr unsigned kStatus0MiscOutput = 0x12;  // read input status 0, write miscellaneous output
constexpr unsigned kSubsystemEnable = 0x13;
constexpr unsigned kSequencerIndex = 0x14;
constexpr unsigned kSequencerData = 0x15;
constexpr unsigned kDacMask = 0x16;
constexpr unsigned kDacStateReadIndex = 0x17;  // read state, write read index
constexpr unsigned kDacWriteIndex = 0x18;
constexpr unsigned kDacData = 0x19;
constexpr unsigned kFeatureRead = 0x1a;
constexpr unsigned kMiscOutputRead = 0x1c;
constexpr unsigned kGraphicsIndex = 0x1e;
constexpr unsigned kGraphicsData = 0x1f;

constexpr u8 kNobody = 0xff;
constexpr u8 kSwitchSenseColor = 0x10;
// Input status 1.
constexpr u8 kNoDisplay = 0x01;
constexpr u8 kVerticalRetrace = 0x08;
constexpr u8 kProtectCr0To7 = 0x80;  // CR11
constexpr u8 kPaletteAddressSource = 0x20;

// Bits that exist.
constexpr u8 kSequencerBits[] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
constexpr u8 kGraphicsBits[] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
constexpr u8 kAttributeBits[] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

/// Register `index` of a bank; those past its end read as zero.
template <std::size_t N>
u8 register_of(const std::array<u8, N>& bank, u8 index) {
  return index < N ? bank[index] : 0;
}

template <std::size_t N>
void set_register(std::array<u8, N>& bank, const u8 (&bits)[N], u8 index, u8 value) {
  if (index < N) bank[index] = value & bits[index];
}

}  // namespace

Vga::Vga(const Clock& clock, VideoRam& memory)
    : clock_(clock),
      ports_(*this, &Vga::read_port, &Vga::write_port),
      dispi_ports_(*this, &Vga::read_dispi_port, &Vga::write_dispi_port),
      memory_(memory) {
  configure_memory();
}

void Vga::configure_memory() {
  memory_.configure(registers_.data_path(), registers_.banked_path(), registers_.memory_enabled());
}

u32 Vga::read_dispi_port(u16 offset, Width) {
  DispiRegisters& dispi = registers_.dispi;
  return offset == 0 ? dispi.index : dispi.read(memory_.bytes().size());
}

void Vga::write_dispi_port(u16 offset, Width, u32 value) {
  DispiRegisters& dispi = registers_.dispi;
  if (offset == 0) {
    dispi.index = static_cast<u16>(value);
    return;
  }
  if (dispi.write(static_cast<u16>(value), memory_.bytes().size())) memory_.clear(dispi.picture_bytes());
  configure_memory();
}

u16 Vga::read_dispi(u16 index) {
  const u16 selected = std::exchange(registers_.dispi.index, index);
  const u32 value = read_dispi_port(1, Width::Word);
  registers_.dispi.index = selected;
  return static_cast<u16>(value);
}

void Vga::write_dispi(u16 index, u16 value) {
  const u16 selected = std::exchange(registers_.dispi.index, index);
  write_dispi_port(1, Width::Word, value);
  registers_.dispi.index = selected;
}

u32 Vga::read_port(u16 offset, Width) {
  const unsigned crtc = registers_.color_addresses() ? kColorCrtc : kMonochromeCrtc;
  switch (offset) {
    case kAttributeIndex: return registers_.attribute_index;
    case kAttributeRead: return register_of(registers_.attribute, registers_.attribute_index & 0x1f);
    case kStatus0MiscOutput: return kSwitchSenseColor;
    case kSubsystemEnable: return registers_.subsystem_enable;
    case kSequencerIndex: return registers_.sequencer_index;
    case kSequencerData: return register_of(registers_.sequencer, registers_.sequencer_index);
    case kDacMask: return registers_.dac_mask;
    case kDacStateReadIndex: return registers_.dac_reading ? 3 : 0;
    case kDacWriteIndex: return registers_.dac_index;
    case kDacData: return read_dac();
    case kFeatureRead: return registers_.feature_control;
    case kMiscOutputRead: return registers_.misc_output;
    case kGraphicsIndex: return registers_.graphics_index;
    case kGraphicsData: return register_of(registers_.graphics, registers_.graphics_index);
    default: return offset - crtc <= kStatus1AfterCrtc ? read_crtc_port(offset - crtc) : kNobody;
  }
}

void Vga::write_port(u16 offset, Width, u32 wide_value) {
  const u8 value = static_cast<u8>(wide_value);
  const unsigned crtc = registers_.color_addresses() ? kColorCrtc : kMonochromeCrtc;
  switch (offset) {
    case kAttributeIndex: return write_attribute_port(value);
    case kStatus0MiscOutput: registers_.misc_output = value & 0xef; return configure_memory();
    case kSubsystemEnable: registers_.subsystem_enable = value & 1; return;
    case kSequencerIndex: registers_.sequencer_index = value & 0x07; return;
    case kSequencerData:
      set_register(registers_.sequencer, kSequencerBits, registers_.sequencer_index, value);
      return configure_memory();
    case kDacMask: registers_.dac_mask = value; return;
    case kDacStateReadIndex:
    case kDacWriteIndex:
      registers_.dac_index = value;
      registers_.dac_component = 0;
      registers_.dac_reading = offset == kDacStateReadIndex;
      return;
    case kDacData: return write_dac(value);
    case kGraphicsIndex: registers_.graphics_index = value & 0x0f; return;
    case kGraphicsData:
      set_register(registers_.graphics, kGraphicsBits, registers_.graphics_index, value);
      return configure_memory();
    default:
      if (offset - crtc <= kStatus1AfterCrtc) write_crtc_port(offset - crtc, value);
  }
}

/// `port` counts from the CRTC index; even and odd ports before input status 1 mirror index and data.
u8 Vga::read_crtc_port(unsigned port) {
  switch (port) {
    case 0: return registers_.crtc_index;
    case 1: return register_of(registers_.crtc, registers_.crtc_index);
    case kStatus1AfterCrtc: registers_.attribute_data_next = false; return input_status_1();
    default: return kNobody;
  }
}

void Vga::write_crtc_port(unsigned port, u8 value) {
  switch (port) {
    case 0: registers_.crtc_index = value & 0x1f; return;
    case 1: return write_crtc(value);
    case kStatus1AfterCrtc: registers_.feature_control = value & 0x0b; return;
    default: return;
  }
}

void Vga::write_crtc(u8 value) {
  const u8 index = registers_.crtc_index;
  if (index >= registers_.crtc.size()) return;
  u8& reg = registers_.crtc[index];
  if (index <= 0x07 && (registers_.crtc[0x11] & kProtectCr0To7)) {
    constexpr u8 kLineCompare8 = 0x10;  // CR7's only unprotected bit
    if (index == 0x07) reg = static_cast<u8>((reg & ~kLineCompare8) | (value & kLineCompare8));
    return;
  }
  reg = value;
}

void Vga::write_attribute_port(u8 value) {
  registers_.attribute_data_next = !registers_.attribute_data_next;
  if (registers_.attribute_data_next) {
    registers_.attribute_index = value & (kPaletteAddressSource | 0x1f);
    return;
  }
  set_register(registers_.attribute, kAttributeBits, registers_.attribute_index & 0x1f, value);
}

void Vga::next_dac_component() {
  if (++registers_.dac_component < 3) return;
  registers_.dac_component = 0;
  ++registers_.dac_index;
}

u8 Vga::read_dac() {
  const u8 value = registers_.dac[3u * registers_.dac_index + registers_.dac_component];
  next_dac_component();
  return value;
}

void Vga::write_dac(u8 value) {
  registers_.dac[3u * registers_.dac_index + registers_.dac_component] =
      registers_.dispi.eight_bit_dac() ? value : value & 0x3f;
  next_dac_component();
}

u8 Vga::input_status_1() const {
  const VgaBeam beam = vga_beam(registers_, clock_.now_ns());
  return static_cast<u8>((beam.display ? 0 : kNoDisplay) | (beam.vertical_retrace ? kVerticalRetrace : 0));
}

u64 Vga::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i)
    value |= u64{memory_.read(static_cast<u32>(offset) + i)} << (8 * i);
  return value;
}

void Vga::mmio_write(u64 offset, Width width, u64 value) {
  for (unsigned i = 0; i < width_bytes(width); ++i)
    memory_.write(static_cast<u32>(offset) + i, static_cast<u8>(value >> (8 * i)));
}

void Vga::enter_text_mode(std::span<const u8> font) {
  set_bios_mode_3(registers_);
  memory_.clear(VgaMemory::kPlanes * VgaMemory::kPlaneBytes);
  for (u32 address = 0; address < 0x8000; address += 2) {
    memory_.set_plane_byte(0, address, ' ');
    memory_.set_plane_byte(1, address, 0x07);
  }
  for (u32 i = 0; i < font.size(); ++i) memory_.set_plane_byte(2, i / 16 * 32 + i % 16, font[i]);
  configure_memory();
}

std::string Vga::text_screen() const { return describe_screen(registers_, memory_); }

/// Memory keeps what it holds; at power-on that is nothing, because all RAM is zero.
void Vga::reset(ResetKind) {
  registers_ = {};
  memory_.reset_latches();
  configure_memory();
}

void Vga::serialize(Archive& archive) {
  archive.tag("vga");
  registers_.serialize(archive, memory_.bytes().size());
  memory_.serialize(archive);
  if (archive.loading()) configure_memory();
}

std::string Vga::debug_dump() const {
  const auto bank = [](const auto& registers) {
    std::string text;
    for (const u8 value : registers) text += fmt::format(" {:02x}", value);
    return text;
  };
  std::string text =
      fmt::format("{}{}\n", registers_.mode_name(), registers_.screen_on() ? "" : ", screen off");
  text += fmt::format("misc={:02x} seq={}\n", registers_.misc_output, bank(registers_.sequencer));
  text += fmt::format("crtc={}\n", bank(registers_.crtc));
  text += fmt::format("gc={}\n", bank(registers_.graphics));
  text += fmt::format("attr={} index={:02x}\n", bank(registers_.attribute), registers_.attribute_index);
  const DispiRegisters& dispi = registers_.dispi;
  text += fmt::format("dispi enable={:02x} {}x{}x{} in {}x{} from {},{} bank={}\n", dispi.enable, dispi.xres,
                      dispi.yres, dispi.bpp, dispi.virtual_width, dispi.virtual_height, dispi.x_offset,
                      dispi.y_offset, dispi.bank);
  return text;
}

}  // namespace reprise::devices
