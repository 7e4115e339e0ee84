// QEMU's command line: keys and values, words of ours for its options, sentences for what cannot be.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "common/words.h"
#include "frontend/options/option.h"
#include "frontend/options/values.h"
#include "frontend/qemu/key_values.h"
#include "frontend/qemu/option_row.h"
#include "frontend/qemu/plug.h"
#include "frontend/qemu/qemu_command.h"
#include "frontend/qemu/translation.h"

namespace reprise::frontend::qemu {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  for (const std::string_view word : words_between(line, " ")) out.emplace_back(word);
  return out;
}

/// The words of ours for `line` behind -nodefaults, with blanks between.
std::string translated(std::string_view line) {
  std::vector<std::string> words = words_of(line);
  words.emplace_back("-nodefaults");
  words.emplace_back("-display");
  words.emplace_back("none");
  return fmt::format("{}", fmt::join(translate(words).words, " "));
}

std::string refusal_of(std::string_view line) {
  try {
    translate(words_of(line));
  } catch (const BadValue& bad) {
    return bad.message;
  }
  return "it was taken";
}

std::string notes_of(std::string_view line) {
  return fmt::format("{}", fmt::join(translate(words_of(line)).notes, "|"));
}

#define EXPECT_HAS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)
#define EXPECT_HAS_NOT(text, part) EXPECT_EQ(std::string(text).find(part), std::string::npos) << (text)

TEST(QemuKeyValues, SplitsAtSingleCommas) {
  KeyValues keys = KeyValues::parse("-drive", "file=a,,b,if=virtio,snapshot,noaio=1,readonly=on");
  EXPECT_EQ(keys.take("file"), "a,b");
  EXPECT_EQ(keys.take("if"), "virtio");
  EXPECT_EQ(keys.take_switch("snapshot"), true);
  EXPECT_EQ(keys.take_switch("readonly"), true);
  EXPECT_EQ(keys.take("noaio"), "1");
  EXPECT_EQ(keys.take("missing"), std::nullopt);
  keys.refuse_rest();
}

TEST(QemuKeyValues, AFirstWordHasAnImpliedKey) {
  KeyValues keys = KeyValues::parse("-smp", "4,cores=2", "cpus");
  EXPECT_EQ(keys.take("cpus"), "4");
  EXPECT_THROW(keys.refuse_rest(), BadValue);
  EXPECT_EQ(keys.take("cores"), "2");
  keys.refuse_rest();
  EXPECT_EQ(KeyValues::parse("-smp", "sockets=2", "cpus").take("cpus"), std::nullopt);
}

TEST(QemuKeyValues, WordsAreSwitches) {
  KeyValues keys = KeyValues::parse("-serial", "path,server,nowait", "path");
  EXPECT_EQ(keys.take_switch("server"), true);
  EXPECT_EQ(keys.take_switch("wait"), false);
  KeyValues wrong = KeyValues::parse("-serial", "server=maybe");
  EXPECT_THROW(wrong.take_switch("server"), BadValue);
}

TEST(QemuKeyValues, JsonHasDottedKeys) {
  KeyValues keys = KeyValues::parse(
      "-blockdev", R"({"driver":"qcow2","file":{"driver":"file","filename":"a,b"},"read-only":true})");
  EXPECT_EQ(keys.take("driver"), "qcow2");
  EXPECT_EQ(keys.take("file.filename"), "a,b");
  EXPECT_EQ(keys.take_switch("read-only"), true);
  EXPECT_THROW(KeyValues::parse("-device", "{\"driver\":"), BadValue);
  EXPECT_THROW(KeyValues::parse("-device", "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}"),
               BadValue);
}

TEST(QemuTranslation, MachineAndProcessors) {
  EXPECT_HAS(translated("-m 1G -smp 4"), "--memory 1G --cpus 4 ");
  EXPECT_HAS(translated("-m size=2048,slots=2,maxmem=2G"), "--memory 2048");
  EXPECT_HAS(translated(""), "--memory 128M");
  EXPECT_HAS(translated("-smp cpus=8,sockets=2,cores=2,threads=2"), "--cpus 8,sockets=2,cores=2,threads=2");
  EXPECT_HAS(translated("-smp sockets=2,cores=3"), "--cpus 6,sockets=2,cores=3");
  EXPECT_HAS(translated("-cpu host,migratable=off,hv_relaxed,+avx2"), "--cpu host,+avx2");
  EXPECT_HAS(translated("-enable-kvm -cpu host"), "--cpu default");
  EXPECT_HAS(translated("-machine type=pc,accel=kvm:tcg,usb=off -accel kvm -accel tcg"), "--memory");
  EXPECT_HAS(refusal_of("-M isapc"), "-M isapc: there is no machine 'isapc'");
  EXPECT_HAS(
      translated("-M q35 -nodefaults -device "
                 "pcie-root-port,port=0x10,chassis=1,id=pci.1,bus=pcie.0,multifunction=on,addr=0x2 "
                 "-device pcie-root-port,port=17,chassis=2,id=pci.2,bus=pcie.0,addr=0x2.0x1 "
                 "-device virtio-rng-pci,bus=pci.2,addr=0x0"),
      "--device pcie-root-port,id=pci.1,addr=2,port=16,chassis=1,multifunction=on "
      "--device pcie-root-port,id=pci.2,addr=2,function=1,port=17,chassis=2 --device virtio-rng,bus=pci.2");
  EXPECT_HAS(translated("-machine type=q35,accel=kvm:tcg"), "--machine q35 --hotplug --memory 128M");
  EXPECT_HAS(translated("-M q35 -hda a -device ich9-ahci,id=x"), "--device ide-hd,file=a,unit=0,write=yes");
  EXPECT_HAS(translated("-M q35 -drive if=none,file=a,id=d -device ide-hd,drive=d,bus=ide.3"),
             "--device ide-hd,file=a,bus=ahci,unit=3,write=yes");
  EXPECT_HAS(refusal_of("-smp 4,dies=2"), "dies=");
  EXPECT_HAS(refusal_of("-machine pc,acpi=off"), "acpi=off");
  EXPECT_HAS(refusal_of("-m lots"), "'lots' is not a size");
}

TEST(QemuTranslation, AKernelThatResetsStartsAgainUnlessItMustNot) {
  EXPECT_HAS(translated("-kernel k -append quiet"), "--kernel k --append quiet");
  EXPECT_HAS(translated("-kernel k"), "--bios seabios");
  EXPECT_HAS_NOT(translated("-kernel k -no-reboot"), "--bios seabios");
  EXPECT_HAS(translated("-kernel k"), "--bios-serial off");
  EXPECT_HAS_NOT(translated("-nographic a.img"), "--bios-serial");
  EXPECT_HAS_NOT(translated("-machine pc,graphics=off a.img"), "--bios-serial");
  EXPECT_HAS(translated("-kernel k -action reboot=shutdown"), "--no-reboot");
}

TEST(QemuTranslation, ImagesAreWrittenUnlessSaidOtherwise) {
  EXPECT_HAS(translated("disk.img"), "--device ide-hd,file=disk.img,unit=0,write=yes");
  EXPECT_HAS(translated("-hdb disk.img -snapshot"), "--device ide-hd,file=disk.img,unit=1 ");
  EXPECT_HAS(translated("-drive file=a,,b.img,if=virtio,format=raw,cache=unsafe,discard=unmap"),
             "--device virtio-blk,file=a,,b.img,format=raw,write=yes");
  EXPECT_HAS(translated("-drive file=x,snapshot=on,if=virtio"), "--device virtio-blk,file=x --net");
  EXPECT_HAS(translated("-cdrom a.iso"), "--device ide-cd,file=a.iso,unit=2");
  EXPECT_HAS(translated("-fda a.img"), "--device floppy,file=a.img,unit=0,write=yes");
  EXPECT_HAS(translated("-drive file=b,index=1,if=virtio -drive file=a,index=0,if=virtio"),
             "--device virtio-blk,file=a,write=yes --device virtio-blk,file=b,write=yes");
  EXPECT_HAS(refusal_of("-hda a -drive file=b,index=0"), "index=0 of if=ide was given twice");
  EXPECT_HAS(refusal_of("-drive file=a,format=vmdk"), "qemu-img convert");
  EXPECT_HAS(refusal_of("-drive file=a,colour=red"), "'colour=red' is not known here");
  EXPECT_HAS(refusal_of("-drive file=nbd:localhost:1"), "is no file");
}

TEST(QemuTranslation, DevicesFindTheirDrives) {
  EXPECT_HAS(
      translated(
          "-device virtio-blk-pci,drive=d0,serial=root,addr=0x5 -drive if=none,id=d0,file=a,format=qcow2"),
      "--device virtio-blk,file=a,addr=5,format=qcow2,serial=root,write=yes");
  EXPECT_HAS(translated("-blockdev driver=file,node-name=f,filename=a -blockdev "
                        "driver=raw,node-name=r,file=f,read-only=off "
                        "-device virtio-blk-pci,drive=r"),
             "--device virtio-blk,file=a,format=raw,write=yes");
  EXPECT_HAS(refusal_of("-device virtio-blk-pci,drive=d1"),
             "there is no -drive and no -blockdev with the id 'd1'");
  EXPECT_HAS(
      refusal_of("-drive if=none,id=d,file=a -device virtio-blk-pci,drive=d -device virtio-blk-pci,drive=d"),
      "'d' is the medium of another device");
  EXPECT_HAS(notes_of("-nodefaults -drive if=none,id=d,file=a"), "the guest does not see it");
}

TEST(QemuTranslation, BootOrder) {
  EXPECT_HAS(translated("-boot d -cdrom a -hda b"), "--boot cdrom");
  EXPECT_HAS(translated("-device virtio-scsi-pci,id=scsi0,addr=6 -drive if=none,id=d,file=a,format=raw "
                        "-device scsi-hd,drive=d,bus=scsi0.0,channel=0,scsi-id=2,lun=1,bootindex=1"),
             "--device virtio-scsi,addr=6,id=scsi0 --device "
             "scsi-hd,file=a,bus=scsi0,scsi-id=2,lun=1,format=raw,write=yes");
  EXPECT_HAS(
      translated("-device virtio-scsi-pci -drive if=none,id=d,file=a,media=cdrom -device scsi-cd,drive=d"),
      "--device virtio-scsi --device scsi-cd,file=a");
  EXPECT_HAS(refusal_of("-drive if=none,id=d,file=a -device scsi-hd,drive=d,channel=1"), "channel 0 only");
  EXPECT_HAS(translated("-hda a -drive if=none,id=d,file=b -device virtio-blk-pci,drive=d,bootindex=0"),
             "--boot disk0,disk");
  EXPECT_HAS(translated("-boot menu=on a.img"), "--boot disk,menu=on");
  EXPECT_HAS_NOT(translated("-kernel k -boot d -cdrom a"), "--boot");
  EXPECT_HAS(refusal_of("-boot z"), "'z' is none of a (floppy)");
  EXPECT_HAS(translated("-boot once=d -cdrom a -hda b"), "--boot once=cdrom,disk,cdrom");
  EXPECT_HAS(translated("-boot once=n,menu=on -hda b -nic user"), "--boot once=network,disk,network,menu=on");
  EXPECT_HAS(refusal_of("-boot once=z"), "'z' is none of a (floppy)");
}

TEST(QemuTranslation, Networks) {
  EXPECT_HAS(translated("-netdev user,id=n0,hostfwd=tcp::2222-:22,restrict=on -device "
                        "virtio-net-pci,netdev=n0,mac=52:54:00:1:2:3"),
             "--device virtio-net,mac=52:54:00:1:2:3 --net user,restrict=yes,hostfwd=tcp::2222-:22");
  EXPECT_HAS(translated("-net nic,model=virtio -net user,hostfwd=tcp:127.0.0.1:10022-:22"),
             "--device virtio-net --net user,hostfwd=tcp:127.0.0.1:10022-:22");
  EXPECT_HAS(translated("-nic user"), "--device e1000 --net user");
  EXPECT_HAS(translated("-nic none"), "--net none");
  EXPECT_HAS(translated("-net none"), "--net none");
  EXPECT_HAS(refusal_of("-nic tap,ifname=tap0"), "a network of kind 'tap' is not there");
  EXPECT_HAS(refusal_of("-device e1000,netdev=n1"), "there is no -netdev with the id 'n1'");
  EXPECT_HAS(refusal_of("-nic user,model=rtl8139"), "the network cards are virtio-net-pci and e1000");
}

TEST(QemuTranslation, SerialPortsAndMonitors) {
  EXPECT_HAS(translated("-serial stdio"), "--serial stdio --serial null");
  EXPECT_HAS(translated("-serial unix:/tmp/s,server=on,wait=off -serial tcp:localhost:99,server,nowait"),
             "--serial unix:/tmp/s --serial tcp:localhost:99");
  EXPECT_HAS(translated("-serial unix:/tmp/s"), "--serial unix:/tmp/s,connect");
  EXPECT_HAS(translated("-serial unix:/tmp/s,server"), "--serial unix:/tmp/s,wait");
  EXPECT_HAS(translated("-chardev socket,path=/tmp/s,server=on,wait=off,id=c -serial chardev:c"),
             "--serial unix:/tmp/s");
  EXPECT_HAS(translated("-nographic"), "--serial null --serial null --display none");
  EXPECT_HAS(refusal_of("-serial chardev:x"), "there is no -chardev of that id");
  EXPECT_HAS(refusal_of("-serial udp:x"), "that is none of stdio");
  const Translation usual = translate(words_of("-nographic"));
  EXPECT_HAS(fmt::format("{}", fmt::join(usual.words, " ")), "--serial stdio --serial null");
  EXPECT_TRUE(usual.monitors.empty());
  EXPECT_TRUE(usual.keys_of_pipes);
  const Translation sockets =
      translate(words_of("-nographic -serial null -monitor unix:/tmp/m,server,nowait -qmp stdio"));
  ASSERT_EQ(sockets.monitors.size(), 2U);
  EXPECT_EQ(sockets.monitors[0].at.target, "unix:/tmp/m");
  EXPECT_TRUE(sockets.monitors[1].qmp);
  EXPECT_HAS(refusal_of("-nographic -qmp stdio"), "a serial port has standard input and output");
}

TEST(QemuTranslation, PipesLogsAndTheBackground) {
  EXPECT_HAS(translated("-chardev pipe,id=p,path=/tmp/p -serial chardev:p"),
             "--serial pipe:/tmp/p --serial null");
  EXPECT_HAS(translated("-serial pipe:/tmp/p"), "--serial pipe:/tmp/p");
  EXPECT_HAS(translated("-chardev ringbuf,id=r,logfile=l,logappend=on -serial chardev:r"),
             "--serial null,log-append=l");
  EXPECT_HAS(translated("-chardev stdio,id=s,logfile=l -serial chardev:s"), "--serial stdio,log=l");
  EXPECT_HAS(translated("-chardev file,id=f,path=l,append=on -serial chardev:f"),
             "--serial null,log-append=l");
  EXPECT_HAS(
      translated("-chardev socket,id=s,path=p,server=on,wait=off,logfile=l -device virtio-serial -device "
                 "virtconsole,chardev=s"),
      "--device virtconsole,target=unix:p,,log=l");
  EXPECT_TRUE(translate(words_of("-display none -serial null -daemonize")).in_background);
  EXPECT_HAS(refusal_of("-nographic -daemonize"), "-daemonize: -nographic is for this terminal");
  EXPECT_HAS(refusal_of("-display none -monitor stdio -daemonize"), "-daemonize: stdio is this terminal");
}

TEST(QemuTranslation, OvmfIsTheOneThatTheVariablesAreOf) {
  const std::string pflash = "-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/";
  EXPECT_HAS(translated(pflash + "OVMF_CODE_4M.fd -drive if=pflash,file=v"), "--bios ovmf --bios-vars v");
  EXPECT_HAS(translated(pflash + "OVMF_CODE.fd -drive if=pflash,file=v"), "--bios ovmf-2m --bios-vars v");
  EXPECT_HAS(notes_of("-nodefaults " + pflash + "OVMF_CODE.secboot.fd"), "without Secure Boot");
  EXPECT_HAS_NOT(notes_of("-nodefaults " + pflash + "OVMF_CODE.fd"), "Secure Boot");
}

TEST(QemuTranslation, PropertiesOfDriversAndTheHpet) {
  EXPECT_HAS(translated("-no-hpet"), "--hpet off");
  EXPECT_HAS(translated("-machine q35,hpet=off"), "--hpet off");
  EXPECT_HAS_NOT(translated("-global driver=ICH9-LPC,property=disable_s3,value=1"), "ICH9");
  EXPECT_HAS(refusal_of("-global driver=e1000,property=mac,value=1"),
             "properties are given with their device");
  const auto has_floppy = [](std::string_view line) {
    const std::vector<std::string> words = translate(words_of(line)).words;
    return std::ranges::any_of(words, [](const std::string& word) { return word.starts_with("floppy"); });
  };
  EXPECT_TRUE(has_floppy("-display none"));
  EXPECT_FALSE(has_floppy("-display none -global isa-fdc.fdtypeA=none"));
}

TEST(QemuTranslation, WhatQemuHasByDefault) {
  const std::string words = fmt::format("{}", fmt::join(translate(words_of("-nographic a.img")).words, " "));
  for (const std::string_view part : {"--memory 128M", "ide-hd,file=a.img,unit=0,write=yes", "ide-cd,unit=2",
                                      "floppy,unit=0", "--device e1000 --net user", "--display none"})
    EXPECT_HAS(words, part);
}

TEST(QemuTranslation, Devices) {
  EXPECT_HAS(translated("-object rng-random,filename=/dev/urandom,id=r -device virtio-rng-pci,rng=r,id=d"),
             "--device virtio-rng,id=d");
  EXPECT_HAS(translated("-device isa-debug-exit,iobase=0xf4,iosize=0x04"),
             "--device isa-debug-exit,iobase=0xf4,iosize=4");
  EXPECT_HAS(translated("-fsdev local,id=f,path=/a,security_model=none,readonly=on -device "
                        "virtio-9p-pci,fsdev=f,mount_tag=t"),
             "--device virtio-9p,path=/a,tag=t,owner=real,readonly=yes");
  EXPECT_HAS(translated("-virtfs local,path=/a,mount_tag=t,security_model=mapped-xattr"),
             "--share /a,tag=t,owner=mapped");
  EXPECT_HAS(translated("-device i6300esb -watchdog-action poweroff"), "--device i6300esb");
  EXPECT_HAS(translated("-watchdog i6300esb -action watchdog=none"), "--watchdog-action none");
  EXPECT_HAS(refusal_of("-device virtio-rng-pci,colour=1"), "'colour=1' is not known here");
  EXPECT_HAS(refusal_of("-device usb-tablet"), "there is no USB");
  EXPECT_HAS(refusal_of("-device frobnicator"), "is no device that is known here");
  EXPECT_HAS(refusal_of("-object tls-creds-x509,id=s"), "there is no object 'tls-creds-x509'");
  EXPECT_HAS(translate({"-device", "help"}).answer, "name \"virtio-blk-pci\"");
}

TEST(QemuTranslation, SerialPortsOfTheBoardAsDevices) {
  EXPECT_HAS(translated("-chardev pty,id=c -device isa-serial,chardev=c,id=serial0,index=0"),
             "--serial pty --serial null");
  EXPECT_HAS(translated("-chardev file,id=c,path=x -device isa-serial,chardev=c,iobase=0x2f8,irq=3"),
             "--serial null --serial file:x");
  EXPECT_HAS(translated("-device isa-serial -chardev pty,id=c -device isa-serial,chardev=c"),
             "--serial null --serial pty");
  EXPECT_HAS(refusal_of("-device isa-serial,index=2"), "there are two serial ports");
  EXPECT_HAS(refusal_of("-serial stdio -device isa-serial,index=0"), "serial port 0 is another's");
  EXPECT_HAS(refusal_of("-device isa-serial,chardev=none"), "there is no -chardev");
  EXPECT_HAS(refusal_of("-device isa-serial,iobase=0x3e8"), "there are two serial ports");
}

TEST(QemuTranslation, DescriptorsThatTheProcessWasStartedWith) {
  const Translation out =
      translate(words_of("-nodefaults -display none -chardev socket,id=m,fd=22,server=on,wait=off "
                         "-mon chardev=m,id=monitor,mode=control"));
  ASSERT_EQ(out.monitors.size(), 1U);
  EXPECT_EQ(out.monitors[0].at.target, "fd:22");
  EXPECT_EQ(parse_socket_address("fd:22")->descriptor, 22);
  EXPECT_TRUE(parse_socket_address("fd:22,connect")->connects);
  for (const std::string_view bad : {"fd:", "fd:2", "fd:x", "fd:99999999"})
    EXPECT_FALSE(parse_socket_address(bad)) << bad;
}

/// The list of properties is what is looked at: none of them is unknown to its device, and no other is taken.
TEST(QemuTables, EveryDeviceTakesItsProperties) {
  const auto tables = translate(words_of("-name guest=g -nodefaults -display none -machine none")).tables;
  EXPECT_EQ(tables->guest_name, "g");
  unsigned devices = 0;
  for (const auto& type : tables->types) {
    if (type.parent != "device") continue;
    ++devices;
    const std::string on_board =
        fmt::format("{}-device {}", type.name.ends_with("-device") ? "-M microvm " : "", type.name);
    if (!type.properties.empty()) {
      EXPECT_HAS(refusal_of(fmt::format("{},no-such-property=1", on_board)),
                 "'no-such-property=1' is not known here");
    }
    for (const auto& property : type.properties) {
      EXPECT_HAS_NOT(refusal_of(fmt::format("{},{}=1", on_board, property.name)), "is not known here");
    }
  }
  EXPECT_GT(devices, 40U);
}

TEST(QemuTables, WhatTheCommandLineNamed) {
  const auto tables =
      translate(words_of("-display none -serial pty -object memory-backend-ram,id=pc.ram,size=128M "
                         "-object iothread,id=io1 -qmp unix:/tmp/q,server=on,wait=off"))
          .tables;
  ASSERT_EQ(tables->memories.size(), 1U);
  EXPECT_EQ(tables->memories[0].bytes, 128u << 20);
  EXPECT_EQ(tables->io_threads, std::vector<std::string>{"io1"});
  ASSERT_GE(tables->chardevs.size(), 2U);
  EXPECT_EQ(tables->chardevs[0].label, "serial0");
  EXPECT_EQ(tables->chardevs[0].filename, "pty");
  EXPECT_EQ(tables->chardevs.back().filename, "unix:/tmp/q,server=on");
  EXPECT_HAS(refusal_of("-object memory-backend-ram,id=m,size=x"), "size=");
}

TEST(QemuTables, DrivesHaveTheirNames) {
  const auto disks =
      translate(
          words_of(
              "-nodefaults -display none -blockdev driver=file,node-name=f,filename=x -blockdev "
              "driver=raw,node-name=n,file=f -device virtio-blk-pci,drive=n,id=d -drive file=y,id=y,if=ide"))
          .tables->disks;
  ASSERT_EQ(disks.size(), 2U);
  EXPECT_EQ(disks[0].name, "disk0");
  EXPECT_EQ(disks[0].device, "d");
  EXPECT_EQ(disks[0].node, "n");
  EXPECT_EQ(disks[0].file_node, "f");
  EXPECT_EQ(disks[1].drive, "y");
  EXPECT_EQ(disks[1].node, "");
}

TEST(QemuTranslation, SuitesOfGrubAndDracut) {
  // grub-shell of GRUB's tests, run-qemu of dracut's.
  const Translation grub =
      translate(words_of("-fw_cfg name=opt/org.grub/x,string=1 -nographic -serial file:/dev/stdout -monitor "
                         "file:/dev/null -cdrom grub.iso -boot d"));
  EXPECT_TRUE(grub.monitors.empty());
  EXPECT_HAS(fmt::format("{}", fmt::join(grub.words, " ")), "--serial file:/dev/stdout");
  const std::string dracut = translated(
      "-smp 2 -m 512 -nodefaults -vga none -display none -no-reboot -watchdog i6300esb -watchdog-action "
      "poweroff -device "
      "virtio-rng-pci -drive format=raw,index=0,media=disk,file=marker.img -drive "
      "format=raw,index=1,media=disk,file=root.img "
      "-serial stdio -append root=LABEL=dracut -initrd initramfs.testing -kernel vmlinuz");
  EXPECT_HAS(dracut, "ide-hd,file=marker.img,unit=0,format=raw,write=yes");
  EXPECT_HAS(dracut, "--watchdog-action poweroff");
}

TEST(QemuTranslation, ThePlaceOfTheVgaIsTaken) {
  EXPECT_HAS(translated("-device virtio-rng-pci,addr=0x2 -device virtio-balloon-pci,id=b,addr=0x3"),
             "virtio-rng,addr=30 --device virtio-balloon,addr=3,id=b");
  EXPECT_HAS(notes_of("-nographic -device virtio-rng-pci,addr=0x2"), "the VGA is there");
}

TEST(QemuTranslation, StatesByName) {
  EXPECT_HAS(refusal_of("-loadvm ../x -hda disk.img"), "no name of a snapshot");
  EXPECT_HAS(refusal_of("-loadvm x -kernel k"), "no image is written");
  EXPECT_HAS(refusal_of("-loadvm x -hda disk.img -snapshot"), "no image is written");
  EXPECT_HAS(refusal_of("-loadvm x -hda disk.img"), "there is no 'disk.img.snapshots/x.state'");
}

TEST(QemuTranslation, PortsOfVirtioSerial) {
  EXPECT_HAS(
      translated("-chardev file,path=/tmp/l,id=c -device virtio-serial-pci -device virtconsole,chardev=c"),
      "--device virtio-serial --device virtconsole,target=file:/tmp/l");
  EXPECT_EQ(notes_of("-nographic -chardev null,id=c -device virtio-serial -device virtconsole,chardev=c"),
            "");
  EXPECT_HAS(translated("-device virtio-serial,id=s1,addr=7 -chardev socket,path=/a,server=on,wait=off,id=q "
                        "-device virtserialport,bus=s1.0,nr=4,chardev=q,name=org.qemu.guest_agent.0,id=p"),
             "--device virtio-serial,addr=7,id=s1 --device "
             "virtserialport,target=unix:/a,bus=s1,id=p,name=org.qemu.guest_agent.0,nr=4");
  const auto shared =
      translate(words_of("-nodefaults -chardev stdio,mux=on,id=c -device virtio-serial -device "
                         "virtconsole,chardev=c -mon chardev=c -display none"));
  EXPECT_TRUE(shared.keys_of_pipes);
  EXPECT_TRUE(shared.monitors.empty());
  EXPECT_HAS(refusal_of("-device virtconsole,chardev=d"), "there is no -chardev with the id 'd'");
}

/// As the tools build them: sbuild-qemu-boot, KUnit's runner, virtme-ng's interactive session, syzkaller.
TEST(QemuTranslation, CommandLinesOfTools) {
  const auto words_and_notes = [](const std::vector<std::string>& words) {
    const Translation made = translate(words);
    return fmt::format("{} # {}", fmt::join(made.words, " "), fmt::join(made.notes, "|"));
  };
  const std::string sbuild =
      words_and_notes(words_of("-enable-kvm -object rng-random,filename=/dev/urandom,id=rng0 -device "
                               "virtio-rng-pci,rng=rng0,id=rng-device0 -device virtio-serial "
                               "-nic user,model=virtio -m 2048 -smp 2 -nographic image.img -snapshot"));
  EXPECT_HAS(sbuild, "--device virtio-rng,id=rng-device0");
  EXPECT_HAS(sbuild, "--device ide-hd,file=image.img,unit=0 ");
  EXPECT_HAS(sbuild, "--device virtio-net --net user");
  const std::string kunit = words_and_notes(
      {"-nodefaults", "-m",         "1024",  "-kernel",   "bzImage", "-append", "console=ttyS0",
       "-no-reboot",  "-nographic", "-bios", "qboot.rom", "-accel",  "kvm",     "-accel",
       "hvf",         "-accel",     "tcg",   "-serial",   "stdio",   ""});
  EXPECT_EQ(kunit,
            "--memory 1024 --kernel bzImage --append console=ttyS0 --hotplug --net none --serial stdio "
            "--serial null "
            "--display none "
            "--no-reboot # ");
  const std::string vng = words_and_notes(
      words_of("-name virtme-ng -m 1G -fsdev "
               "local,id=virtfs1,path=/,security_model=none,readonly=on,multidevs=remap -device "
               "virtio-9p-pci,fsdev=virtfs1,mount_tag=ROOTFS -machine accel=kvm:tcg -device "
               "i6300esb,id=watchdog0 -cpu host -parallel none -net none "
               "-echr 1 -chardev file,path=/proc/self/fd/2,id=dmesg -device virtio-serial-pci -device "
               "virtconsole,chardev=dmesg -chardev "
               "stdio,id=console,signal=off,mux=on -serial chardev:console -mon chardev=console -vga none "
               "-display none -smp 2 -kernel k"));
  EXPECT_HAS(vng, "--device virtio-9p,path=/,tag=ROOTFS,owner=real,readonly=yes");
  EXPECT_HAS(vng, "--device virtio-serial --device virtconsole,target=file:/proc/self/fd/2");
  EXPECT_HAS(vng, "--serial stdio --serial null");
  EXPECT_TRUE(vng.ends_with(" # ")) << vng;
  // A script of virtme-ng's: cards without number, and all ports on the first.
  const std::string script = words_and_notes(words_of(
      "-display none -vga none -serial chardev:console -chardev file,id=console,path=/dev/null "
      "-chardev stdio,id=stdin,signal=on,mux=off -device virtio-serial-pci -device "
      "virtserialport,name=virtme.stdin,chardev=stdin -chardev file,id=stdout,path=/proc/self/fd/1 -device "
      "virtio-serial-pci -device virtserialport,name=virtme.stdout,chardev=stdout -chardev "
      "file,id=ret,path=/tmp/r -device virtio-serial-pci -device virtserialport,name=virtme.ret,chardev=ret "
      "-no-reboot -net none -parallel none -kernel k"));
  EXPECT_HAS(script, "--device virtserialport,target=stdio,name=virtme.stdin");
  EXPECT_HAS(script, "--device virtserialport,target=file:/proc/self/fd/1,name=virtme.stdout");
  EXPECT_HAS(script, "--serial file:/dev/null --serial null");
  EXPECT_TRUE(script.ends_with(" # ")) << script;
  const std::string vmtest = words_and_notes(
      words_of("-nodefaults -display none -serial stdio -cpu qemu64 -qmp "
               "unix:/tmp/qmp-1.sock,server=on,wait=off -chardev "
               "socket,path=/tmp/qga-1.sock,server=on,wait=off,id=qga0 -device virtio-serial -device "
               "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0 --device virtio-serial -chardev "
               "socket,path=/tmp/cmd-1.sock,server=on,wait=off,id=cmdout --device "
               "virtserialport,chardev=cmdout,name=org.qemu.virtio_serial.0 -virtfs "
               "local,id=root,path=/,mount_tag=/dev/root,security_model=none,multidevs=remap -kernel k "
               "-no-reboot -smp 2 -m 4G"));
  EXPECT_HAS(vmtest,
             "--device virtserialport,target=unix:/tmp/qga-1.sock,name=org.qemu.guest_agent.0 --device "
             "virtio-serial");
  EXPECT_HAS(vmtest, "--share /,tag=/dev/root,owner=real");
  EXPECT_TRUE(vmtest.ends_with(" # ")) << vmtest;
  const Translation fuzzer = translate(
      words_of("-m 2048 -smp 2 -chardev socket,id=SOCKSYZ,server=on,wait=off,host=localhost,port=3636 -mon "
               "chardev=SOCKSYZ,mode=control -display none "
               "-serial stdio -no-reboot -name VM-0 -device virtio-rng-pci -enable-kvm -cpu "
               "host,migratable=off -device e1000,netdev=net0 -netdev "
               "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:3030-:22 -hda image -snapshot"));
  ASSERT_EQ(fuzzer.monitors.size(), 1U);
  EXPECT_TRUE(fuzzer.monitors[0].qmp);
  EXPECT_EQ(fuzzer.monitors[0].at.target, "tcp:localhost:3636");
  EXPECT_HAS(fmt::format("{}", fmt::join(fuzzer.words, " ")),
             "--net user,restrict=yes,hostfwd=tcp:127.0.0.1:3030-:22");
}

TEST(QemuTranslation, PanicsAreThoseOfPvpanic) {
  EXPECT_EQ(translate(words_of("-nographic")).on_panic, PanicAction::None);
  EXPECT_EQ(translate(words_of("-nographic -device pvpanic")).on_panic, PanicAction::Shutdown);
  EXPECT_EQ(translate(words_of("-nographic -device pvpanic -action panic=exit-failure")).on_panic,
            PanicAction::ExitFailure);
}

TEST(QemuTranslation, TheScreen) {
  EXPECT_HAS(translated("-vnc :1"), "--display");
  const auto display = [](std::string_view line) {
    return fmt::format("{}", fmt::join(translate(words_of(line)).words, " "));
  };
  EXPECT_HAS(display("-vnc :1"), "--display vnc:127.0.0.1:5901");
  EXPECT_HAS(display("-display vnc=unix:/tmp/v"), "--display vnc:unix:/tmp/v");
  EXPECT_HAS(display("-display none"), "--display none");
  EXPECT_HAS(refusal_of("-display spice-app"), "'spice-app' is none of none, sdl");
  EXPECT_HAS(refusal_of("-vga tcx"), "none of std, none");
}

TEST(QemuTranslation, NamesOfOptions) {
  EXPECT_HAS(refusal_of("-devize x"), "-devize: invalid option; did you mean -device?");
  EXPECT_HAS(refusal_of("-m"), "-m: requires an argument");
  EXPECT_HAS(translated("-uuid 550e8400-e29b-41d4-a716-446655440000 -smbios type=1,product=x"),
             "--uuid 550e8400-e29b-41d4-a716-446655440000 --smbios type=1,product=x");
  EXPECT_HAS(translated("-fw_cfg name=opt/a,string=b -fw_cfg opt/c,file=d"),
             "--fw-cfg opt/a,string=b --fw-cfg opt/c,file=d");
  EXPECT_HAS(refusal_of("-smbios file=x"), "tables are made here");
  EXPECT_TRUE(translate(words_of("-no-shutdown -display none")).stays_off);
  EXPECT_TRUE(translate(words_of("-action shutdown=pause -display none")).stays_off);
  EXPECT_FALSE(translate(words_of("-display none")).stays_off);
  EXPECT_HAS(notes_of("-nographic -usb"), "-usb: there is no USB");
  EXPECT_EQ(notes_of("-nographic -name x -sandbox on -msg timestamp=on --no-user-config"), "");
  EXPECT_HAS(translate({"--version"}).answer, "QEMU emulator version ");
  // What a user reads of the rows must be there, and each name once.
  std::set<std::string_view> names;
  for (const std::string_view name : option_names()) EXPECT_TRUE(names.insert(name).second) << name;
  EXPECT_HAS(help_text(), "-nographic");
}

TEST(QemuCommand, RefusalsNameTheProgramAndHaveCode1) {
  const auto exit_of = [](std::string_view line) { return std::get<EarlyExit>(parse(words_of(line))); };
  EXPECT_EQ(exit_of("-nodefaults -display none -smp 65").exit_code, 1);
  EXPECT_HAS(exit_of("-nodefaults -display none -smp 65").text,
             "qemu-system-x86_64: --cpus 65 is not between 1 and 64\n");
  EXPECT_EQ(exit_of("-M isapc").text.substr(0, 20), "qemu-system-x86_64: ");
  EXPECT_TRUE(is_called_as_qemu("/usr/bin/qemu-system-x86_64"));
  EXPECT_TRUE(is_called_as_qemu("kvm"));
  EXPECT_FALSE(is_called_as_qemu("/usr/bin/reprise"));
}

TEST(SocketAddress, Forms) {
  EXPECT_EQ(parse_serial("unix:/tmp/a,wait")->socket.unix_path, "/tmp/a");
  EXPECT_TRUE(parse_serial("unix:/tmp/a,wait")->socket.waits);
  EXPECT_TRUE(parse_serial("tcp:[::1]:77,connect")->socket.connects);
  EXPECT_EQ(parse_serial("tcp:[::1]:77,connect")->socket.host, "::1");
  EXPECT_EQ(parse_serial("tcp:0")->socket.port, 0);
  EXPECT_FALSE(parse_serial("tcp:0,connect"));
  EXPECT_FALSE(parse_serial("tcp:99999"));
  EXPECT_FALSE(parse_serial("unix:"));
  EXPECT_EQ(socket_address_text(parse_serial("tcp:77")->socket), "tcp:127.0.0.1:77");
}

TEST(QemuTranslation, AMicrovmHasDevicesInMemory) {
  const std::string usual = translated(
      "-M microvm,x-option-roms=off,pit=off,pic=off,isa-serial=off,rtc=auto -nodefaults -no-reboot "
      "-kernel k -drive id=d,file=a,format=raw,if=none -device virtio-blk-device,drive=d -netdev user,id=n "
      "-device virtio-net-device,netdev=n -device virtio-serial-device -device virtconsole -nographic");
  EXPECT_HAS(usual, "--machine microvm,pic=off,pit=off,isa-serial=off --hotplug --memory 128M");
  EXPECT_HAS(usual, "--device virtio-blk,file=a,format=raw,write=yes");
  EXPECT_HAS(usual, "--device virtio-net");
  EXPECT_HAS(usual, "--device virtio-serial");
  const std::string plain = translated("-M microvm");
  EXPECT_EQ(plain.find("e1000"), plain.npos) << "there is no card by default";
  EXPECT_EQ(plain.find("ide-cd"), plain.npos) << "nor a drive";
  EXPECT_HAS(translated("-global virtio-mmio.force-legacy=false -M microvm,acpi=off"),
             "--machine microvm,acpi=off,force-legacy=off");
  EXPECT_HAS(translated("-M microvm -bios /usr/share/seabios/bios-microvm.bin"), "--bios seabios");
  EXPECT_HAS(refusal_of("-M microvm,pcie=on"), "pcie=on: a microvm has no PCI here");
  EXPECT_HAS(refusal_of("-M microvm,hpet=perhaps"), "'hpet=perhaps' is neither on nor off");
  EXPECT_HAS(refusal_of("-M microvm -device virtio-rng-pci"), "give virtio-rng-device");
  EXPECT_HAS(refusal_of("-M microvm -device virtio-rng"), "give virtio-rng-device");
  EXPECT_HAS(refusal_of("-M microvm -device e1000"), "a microvm has no PCI");
  EXPECT_HAS(refusal_of("-device virtio-rng-device"), "this machine has PCI: give virtio-rng-pci");
  EXPECT_HAS(refusal_of("-M microvm -device virtio-rng-device,bus=virtio-mmio-bus.3"), "leave it out");
  EXPECT_HAS(refusal_of("-M microvm -drive file=a,if=virtio"), "a microvm has no if=virtio");
  EXPECT_HAS(refusal_of("-M microvm -hda a"), "a microvm has no if=ide");
  EXPECT_HAS(refusal_of("-M microvm -serial null -serial stdio"), "a microvm has one serial port");
}

}  // namespace
}  // namespace reprise::frontend::qemu
