#include "devices/bus.h"
#include "devices/misc/coprocessor_error.h"
#include "devices/misc/debug_exit.h"
#include "devices/misc/debug_port.h"
#include "devices/misc/generation_id.h"
#include "devices/misc/generic_event_device.h"
#include "devices/misc/port92.h"
#include "devices/misc/reset_control.h"
#include "devices/misc/smbus_host.h"
#include "devices/misc/test_device.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

TEST(GenericEventDeviceTest, AnEventIsAPulseAndARegisterThatEmptiesItself) {
  FakeWires wires;
  FakeControl control;
  GenericEventDevice device(wires.line(0), control);
  device.press_power_button();
  EXPECT_EQ(wires.rises(0), 1);
  EXPECT_FALSE(wires.level(0));
  GenericEventDevice other(wires.line(1), control);
  ASSERT_TRUE(load(other, saved(device)));
  EXPECT_EQ(device.mmio_read(0, Width::Word), 0u) << "it is a dword";
  EXPECT_EQ(device.mmio_read(4, Width::Dword), 0u);
  for (GenericEventDevice* one : {&device, &other}) {
    EXPECT_EQ(one->mmio_read(0, Width::Dword), 2u);
    EXPECT_EQ(one->mmio_read(0, Width::Dword), 0u);
  }
  device.press_power_button();
  device.reset(ResetKind::Warm);
  EXPECT_EQ(device.mmio_read(0, Width::Dword), 0u);
}

TEST(CoprocessorErrorTest, PortF0TakesTheRequestBackAndHasTheErrorIgnored) {
  FakeWires wires;
  CoprocessorError error(wires.line(0));
  error.begin();
  EXPECT_TRUE(wires.level(0));
  EXPECT_FALSE(error.ignored());
  out8(error, 0, 0);
  EXPECT_FALSE(wires.level(0));
  EXPECT_TRUE(error.ignored());
  EXPECT_FALSE(wires.level(0));
  CoprocessorError other(wires.line(1));
  ASSERT_TRUE(load(other, saved(error)));
  EXPECT_TRUE(other.ignored());
  error.begin();
  EXPECT_TRUE(wires.level(0));
  EXPECT_FALSE(error.ignored());
  error.reset(ResetKind::Warm);
  EXPECT_FALSE(wires.level(0));
}

TEST(CoprocessorErrorTest, PortF0WithoutAnErrorDoesNothing) {
  FakeWires wires;
  CoprocessorError error(wires.line(0));
  out8(error, 0, 0);
  EXPECT_FALSE(error.ignored());
  EXPECT_TRUE(wires.level(0));
}

TEST(Port92Test, A20FollowsBit1AndResetNeedsARisingBit0) {
  FakeWires wires;
  FakeControl control;
  Port92 port(wires.line(0), control);
  out8(port, 0, 0x02);
  EXPECT_TRUE(wires.level(0));
  EXPECT_EQ(in8(port, 0), 0x02);
  out8(port, 0, 0x00);
  EXPECT_FALSE(wires.level(0));
  out8(port, 0, 0x01);
  EXPECT_EQ(control.last(), MachineRequest::Reset);
  out8(port, 0, 0x01);
  EXPECT_EQ(control.requests.size(), 1u);
  out8(port, 0, 0x02);
  Port92 other(IrqLine{}, control);
  ASSERT_TRUE(load(other, saved(port)));
  EXPECT_EQ(in8(other, 0), 0x02);
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    out8(port, 0, 0x02);
    port.reset(kind);
    EXPECT_FALSE(wires.level(0));
    EXPECT_EQ(in8(port, 0), 0x00);
  }
}

TEST(ResetControlTest, ResetsOnARisingBit2) {
  FakeControl control;
  ResetControl port(control);
  out8(port, 0, 0x02);
  EXPECT_TRUE(control.requests.empty());
  EXPECT_EQ(in8(port, 0), 0x02);
  out8(port, 0, 0xf6);
  EXPECT_EQ(control.last(), MachineRequest::Reset);
  EXPECT_EQ(in8(port, 0), 0x06);
  out8(port, 0, 0x06);
  EXPECT_EQ(control.requests.size(), 1u);
  ResetControl other(control);
  ASSERT_TRUE(load(other, saved(port)));
  EXPECT_EQ(in8(other, 0), 0x06);
  port.reset(ResetKind::Warm);
  EXPECT_EQ(in8(port, 0), 0x00);
}

TEST(DebugExitTest, CodeIsOddAsInQemu) {
  FakeControl control;
  DebugExit port(control);
  EXPECT_EQ(in8(port, 0), 0);
  out8(port, 0, 0);
  EXPECT_EQ(control.last(), MachineRequest::DebugExit);
  EXPECT_EQ(control.last_code, 1);
  out8(port, 0, 0x10);
  EXPECT_EQ(control.last_code, 0x21);
  out32(port, 0, 0xffffffff);
  EXPECT_EQ(control.last_code, -1);
}

TEST(DebugPortTest, WritesTextAndReadsAsPresent) {
  FakeBackend host;
  DebugPort port(host);
  PioBus bus;
  ASSERT_TRUE(bus.map({0xe9, 1}, port).ok());
  ASSERT_TRUE(bus.map({0x402, 1}, port).ok());
  for (char c : std::string("hi")) bus.write(0xe9, Width::Byte, static_cast<u8>(c));
  bus.write(0x402, Width::Byte, '!');
  EXPECT_EQ(host.text, "hi!");
  EXPECT_EQ(bus.read(0x402, Width::Byte), 0xe9u);
}

TestDevice::Lines lines_of(FakeWires& wires) {
  TestDevice::Lines lines;
  for (unsigned i = 0; i < TestDevice::kIrqLines; ++i) lines[i] = wires.line(i);
  return lines;
}

TEST(TestDeviceTest, RegisterInAnyWidth) {
  FakeWires wires;
  TestDevice device(lines_of(wires));
  device.data_ports().pio_write(0, Width::Dword, 0x11223344);
  device.data_ports().pio_write(1, Width::Word, 0xaabb);
  EXPECT_EQ(device.data_ports().pio_read(0, Width::Dword), 0x11aabb44u);
  EXPECT_EQ(device.byte_ports().pio_read(3, Width::Byte), 0x11u);
  device.byte_ports().pio_write(0, Width::Byte, 0x55);
  EXPECT_EQ(device.data_ports().pio_read(0, Width::Word), 0xbb55u);
  device.flush_ports().pio_write(0, Width::Dword, 0x1000);
  EXPECT_EQ(device.flush_ports().pio_read(0, Width::Dword), 0u);
}

TEST(TestDeviceTest, LinesAndMemorySurviveARoundTrip) {
  FakeWires wires;
  TestDevice device(lines_of(wires));
  device.irq_ports().pio_write(23, Width::Byte, 0x80);
  EXPECT_TRUE(wires.level(23));
  device.mmio_write(0xfffc, Width::Dword, 0x11223344);
  EXPECT_EQ(device.mmio_read(0xfffe, Width::Word), 0x1122u);
  TestDevice other(lines_of(wires));
  ASSERT_TRUE(load(other, saved(device)));
  EXPECT_EQ(other.mmio_read(0xfffc, Width::Dword), 0x11223344u);
  other.reset(ResetKind::Warm);
  EXPECT_FALSE(wires.level(23));
  EXPECT_EQ(other.mmio_read(0xfffc, Width::Dword), 0u);
}

TEST(MiscNoise, EveryPortTakesAnything) {
  FakeControl control;
  FakeBackend host;
  Port92 port92(IrqLine{}, control);
  CoprocessorError coprocessor(IrqLine{});
  ResetControl reset_control(control);
  DebugExit debug_exit(control);
  DebugPort debug_port(host);
  FakeWires wires;
  TestDevice test_device(lines_of(wires));
  Noise noise(92);
  for (int i = 0; i < 20000; ++i) {
    noise.ports(port92, 1, Width::Byte);
    noise.ports(coprocessor, 1, Width::Byte);
    noise.ports(reset_control, 1, Width::Byte);
    noise.ports(debug_exit, 4, Width::Dword);
    noise.ports(debug_port, 1, Width::Byte);
    noise.ports(test_device.data_ports(), 4, Width::Dword);
    noise.ports(test_device.irq_ports(), TestDevice::kIrqLines, Width::Byte);
    control.requests.clear();
  }
  EXPECT_FALSE(host.text.empty());
}

TEST(SmbusHostTest, ACommandEndsAsNobodyAnswers) {
  SmbusHost host;
  EXPECT_EQ(in8(host, 0), 0x00) << "idle";
  out8(host, 4, 0xa1);
  out8(host, 3, 0x05);
  out8(host, 2, 0x48);  // byte data, start
  EXPECT_EQ(in8(host, 0), 0x04) << "device error, not busy";
  EXPECT_EQ(in8(host, 2), 0x08) << "start reads as 0";
  EXPECT_EQ(in8(host, 4), 0xa1);
  SmbusHost other;
  ASSERT_TRUE(load(other, saved(host)));
  EXPECT_EQ(in8(other, 0), 0x04);
  out8(host, 0, 0x04);
  EXPECT_EQ(in8(host, 0), 0x00);
  other.reset(ResetKind::Warm);
  EXPECT_EQ(in8(other, 0), 0x00);
  EXPECT_EQ(in8(other, 4), 0x00);
}

TEST(GenerationId, AnotherOneIsToldOfOnce) {
  const auto id = [](u8 first) {
    GenerationId::Id bytes;
    for (u8& byte : bytes) byte = first++;
    return bytes;
  };
  GenerationId original(id(0x10));
  EXPECT_FALSE(original.renew());
  EXPECT_EQ(original.mmio_read(GenerationId::kIdOffset, Width::Qword), 0x1716'1514'1312'1110u);
  EXPECT_EQ(original.mmio_read(GenerationId::kIdOffset + 12, Width::Qword), 0x1f1e'1d1cu)
      << "nothing behind it";
  EXPECT_EQ(original.mmio_read(0, Width::Dword), 0u);
  original.mmio_write(GenerationId::kIdOffset, Width::Dword, 0);
  Archive saved;
  original.serialize(saved);

  GenerationId copy(id(0x40));
  Archive loaded(saved.bytes());
  copy.serialize(loaded);
  EXPECT_TRUE(loaded.ok());
  EXPECT_EQ(copy.id(), id(0x10)) << "it is the same machine until somebody says otherwise";
  EXPECT_TRUE(copy.renew());
  EXPECT_EQ(copy.mmio_read(GenerationId::kIdOffset, Width::Byte), 0x40u);
  EXPECT_FALSE(copy.renew());
}

}  // namespace
}  // namespace reprise::devices
