#include "machine/plug/qemu_properties.h"

#include <algorithm>

namespace reprise::machine {
namespace {

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

std::string_view instead_of_qemu_property(std::string_view name) {
  const auto* const found = std::ranges::find(kProperties, name, &QemuProperty::name);
  return found == std::end(kProperties) ? std::string_view() : found->instead;
}

}  // namespace reprise::machine
