#include "machine/plug/qemu_devices.h"

#include <algorithm>
#include <string>

namespace reprise::machine {
namespace {

struct QemuDevice {
  std::string_view names;  // with spaces around each
  std::string_view instead;
};

constexpr QemuDevice kDevices[] = {
    {" usb-tablet ", "give virtio-tablet, since there is no USB"},
    {" usb-kbd ", "leave it out, since there is a PS/2 keyboard, or give virtio-keyboard"},
    {" usb-mouse ", "leave it out, since there is a PS/2 mouse, or give virtio-mouse"},
    {" usb-storage usb-ehci qemu-xhci nec-usb-xhci piix3-usb-uhci ", "leave it out, since there is no USB"},
    {" intel-hda ich9-intel-hda hda-duplex hda-output hda-micro sb16 es1370 cs4231a gus adlib ", "give AC97"},
    {" rtl8139 ne2k_pci ne2k_isa pcnet e1000e i82551 i82557b i82559er vmxnet3 tulip ",
     "give e1000 or virtio-net"},
    {" qxl qxl-vga virtio-vga virtio-gpu-pci cirrus-vga vmware-svga bochs-display ramfb ",
     "leave it out, since the card is the one of -vga std"},
    {" scsi-block scsi-generic nvme lsi53c895a megasas mptsas1068 pvscsi am53c974 ",
     "give virtio-scsi with scsi-hd, virtio-blk, or --disk FILE"},
    {" virtio-mem-pci vhost-vsock-pci tpm-tis ", "leave it out, since there is none"},
    {" vhost-user-fs-pci ", "give --share FOLDER,tag=NAME"},
};

struct QemuProperty {
  std::string_view name;
  std::string_view instead;
};

constexpr QemuProperty kProperties[] = {
    {"fsdev", "give --share FOLDER,tag=NAME"},
    {"mount_tag", "give tag=NAME"},
    {"security_model",
     "give owner=mapped (the default) for its mapped-xattr, owner=real for passthrough and none"},
    {"writeout", "leave it out, since what the guest writes is not kept back"},
    {"multidevs", "leave it out, since files have numbers of the guest's own"},
    {"drive", "give file=FILE"},
    {"netdev", "leave it out, since all cards are on the network of --net"},
    {"vlan", "leave it out, since all cards are on the network of --net"},
    {"audiodev", "leave it out, and give --sound sdl or wav:FILE"},
    {"chardev", "give target=TARGET"},
    {"bus", "leave it out, since there is one PCI bus"},
    {"bootindex", "give --boot"},
};

}  // namespace

std::string_view instead_of_qemu_device(std::string_view name) {
  const std::string wanted = " " + std::string(name) + " ";
  const auto* const found = std::ranges::find_if(
      kDevices, [&](const QemuDevice& row) { return row.names.find(wanted) != std::string_view::npos; });
  return found == std::end(kDevices) || name.find(' ') != name.npos ? std::string_view() : found->instead;
}

std::string_view instead_of_qemu_property(std::string_view name) {
  const auto* const found = std::ranges::find(kProperties, name, &QemuProperty::name);
  return found == std::end(kProperties) ? std::string_view() : found->instead;
}

}  // namespace reprise::machine
