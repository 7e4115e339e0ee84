#include "frontend/test/guest_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "common/words.h"
#include "frontend/test/input_digest.h"
#include "frontend/test/kernel_modules.h"
#include "frontend/test/progress.h"
#include "frontend/test/test_snapshot.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/host_file.h"
#include "machine/storage/image_probe.h"
#include "verdict/initramfs.h"
#include "verdict/shell_words.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMaxBusyboxBytes = u64{64} << 20;
constexpr u64 kMaxArchiveBytes = u64{2} << 30;

/// A static program for x86-64: nothing else starts in a guest that has no other files.
std::string why_no_static_program(std::span<const u8> head) {
  constexpr u8 kElf[] = {0x7f, 'E', 'L', 'F', 2, 1};
  constexpr std::size_t kMachine = 18, kHeaders = 32, kHeaderBytes = 54, kHeaderCount = 56;
  const auto number = [&](std::size_t offset, std::size_t bytes) {
    u64 value = 0;
    for (std::size_t i = 0; i < bytes && offset + i < head.size(); ++i)
      value |= u64{head[offset + i]} << (8 * i);
    return value;
  };
  if (head.size() < 64 || std::memcmp(head.data(), kElf, sizeof kElf) != 0 || number(kMachine, 2) != 62)
    return "is no program for x86-64";
  constexpr u64 kInterpreter = 3;
  for (u64 i = 0; i < number(kHeaderCount, 2); ++i)
    if (number(number(kHeaders, 8) + i * number(kHeaderBytes, 2), 4) == kInterpreter)
      return "is not static: it needs libraries, which the guest does not have";
  return {};
}

Result<std::string> find_busybox(const TestRequest& request) {
  std::string path = request.busybox;
  if (path.empty()) {
    for (const char* place : {"/bin/busybox", "/usr/bin/busybox", "/usr/lib/busybox/busybox-static"})
      if (fs::exists(place)) {
        path = place;
        break;
      }
  }
  if (path.empty())
    return Error{
        "there is no busybox for the guest: install Debian's package busybox-static, or name one by "
        "--busybox FILE."};
  const auto content = TRY(machine::read_host_head("busybox", path, kMaxBusyboxBytes));
  if (const std::string why = why_no_static_program(content); !why.empty())
    return Error{
        fmt::format(
            "busybox '{}' {}: give a static one by --busybox, as Debian's package busybox-static has it.",
            path, why),
        ErrorKind::Usage};
  return path;
}

/// What the root is, by what stands there.
enum class RootKind : u8 { Busybox, Folder, SharedFolder, Archive, Image };

Result<RootKind> kind_of_root(const TestRequest& request) {
  if (request.root.empty()) return RootKind::Busybox;
  std::error_code error;
  if (fs::is_directory(request.root, error))
    return request.root_shared ? RootKind::SharedFolder : RootKind::Folder;
  if (request.root_shared)
    return wrong_usage(fmt::format("--root '{}' is no folder: by=9p is for folders.", request.root));
  const std::vector<u8> head = TRY(machine::read_host_head("root", request.root, machine::kProbeBytes));
  constexpr std::string_view kNewc = "070701", kCrc = "070702", kTar = "ustar";
  constexpr std::size_t kTarAt = 257;
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  const machine::ImageKind kind = machine::probe_image(head);
  const bool packed = !machine::unpacker_of(kind).empty();
  if (text.starts_with(kNewc) || text.starts_with(kCrc)) return RootKind::Archive;
  const bool tar = (text.size() > kTarAt && text.substr(kTarAt).starts_with(kTar)) ||
                   request.root.find(".tar") != request.root.npos;
  if (tar)
    return wrong_usage(
        fmt::format("--root '{}' is a tar archive: unpack it, and give the folder, or a cpio archive of it.",
                    request.root));
  if (packed) return RootKind::Archive;
  return RootKind::Image;
}

void add_devices(verdict::Initramfs& initramfs) {
  initramfs.add_device("dev/console", 5, 1);
  initramfs.add_device("dev/null", 1, 3, 0666);
  initramfs.add_device("dev/zero", 1, 5, 0666);
  initramfs.add_device("dev/tty", 5, 0, 0666);
  initramfs.add_device("dev/ttyS0", 4, 64);
  initramfs.add_device("dev/ttyS1", 4, 65);
}

Result<Done> write_all(int fd, std::span<const u8> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return Error{fmt::format("initramfs '{}' cannot be written: {}.", path, std::strerror(errno))};
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return Done{};
}

/// The archive, if any, and behind it ours: the kernel unpacks one after the other.
Result<Done> write_initramfs(const verdict::Initramfs& initramfs, const std::string& archive,
                             const std::string& path) {
  constexpr mode_t kMode = 0644;
  const machine::HostFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!file) return Error{fmt::format("initramfs '{}' cannot be made: {}.", path, std::strerror(errno))};
  if (!archive.empty()) {
    std::vector<u8> bytes = TRY(machine::read_host_file("root", archive, kMaxArchiveBytes));
    bytes.resize((bytes.size() + 3) / 4 * 4);
    TRY(write_all(file.get(), bytes, path));
  }
  return initramfs.write([&](std::span<const u8> bytes) { return write_all(file.get(), bytes, path); });
}

/// Modules for what the task needs, in the initramfs.
Result<Done> add_modules(const TestRequest& request, RootKind root, verdict::Initramfs& initramfs,
                         verdict::GuestTask& task) {
  std::vector<std::string_view> wanted;
  if (root == RootKind::Image) wanted = {"virtio_pci", "virtio_blk", "crc32c_generic", "ext4"};
  if (root == RootKind::SharedFolder || !request.share.empty()) {
    for (const std::string_view name : {"virtio_pci", "9pnet_virtio", "9p"})
      if (std::ranges::find(wanted, name) == wanted.end()) wanted.push_back(name);
  }
  if (root == RootKind::SharedFolder) wanted.push_back("overlay");
  if (wanted.empty()) return Done{};
  for (const KernelModule& module : TRY(modules_for(request.kernel, request.modules, wanted))) {
    initramfs.add_host_file(".reprise/modules/" + module.name, module.path, module.bytes, 0644);
    task.modules.push_back(module.name);
  }
  return Done{};
}

Result<Done> fill_root(const TestRequest& request, RootKind root, const std::string& busybox,
                       verdict::Initramfs& initramfs, verdict::GuestTask& task) {
  if (root == RootKind::Folder) {
    TRY(initramfs.add_tree(request.root));
    task.own_shell = initramfs.has("bin/sh") || initramfs.has("usr/bin/sh");
  } else if (root == RootKind::Busybox) {
    task.applets = true;
    for (const char* folder : {"bin", "sbin", "usr/bin", "usr/sbin", "etc", "root", "tmp", "run", "var"})
      initramfs.add_folder(folder);
    initramfs.add_file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    initramfs.add_file("etc/group", "root:x:0:\n");
  }
  if (root == RootKind::Image) task.root = verdict::RootPlace::Disk;
  if (root == RootKind::SharedFolder) task.root = verdict::RootPlace::Share;
  for (const char* folder : {"dev", "proc", "sys", "mnt"})
    if (!initramfs.has(folder)) initramfs.add_folder(folder);
  add_devices(initramfs);
  constexpr u32 kProgram = 0755;
  initramfs.add_host_file(".reprise/busybox", busybox, TRY(machine::host_file_bytes("busybox", busybox)),
                          kProgram);
  return add_modules(request, root, initramfs, task);
}

/// Whatever the guest is.
std::vector<std::string> words_of_run(const TestRequest& request) {
  return {"--serial=null", "--timeout=600", "--record=" + request.folder + "/recording",
          "--json=" + request.folder + "/run.json"};
}

std::vector<std::string> with_first(std::vector<std::string> words, std::string first) {
  words.insert(words.begin(), std::move(first));
  return words;
}

/// The kernel's command line: `needed` and what the user adds, whose console takes the place of ours.
std::string append_word(const TestRequest& request, std::string_view needed) {
  const bool own_console = (' ' + request.append).find(" console=") != std::string::npos;
  return fmt::format("--append={}panic=-1 {}{}{}", own_console ? "" : "console=ttyS0 ", needed,
                     request.append.empty() ? "" : " ", request.append);
}

/// The kernel is all that the guest has; it resets the machine when its tests are done.
Result<std::vector<std::string>> prepare_kernel_tests(TestRequest& request) {
  TRY(make_test_folder(request));
  std::vector<std::string> words = {"--kernel=" + request.kernel,
                                    append_word(request, "kunit.enable=1 kunit_shutdown=reboot")};
  std::ranges::copy(words_of_run(request), std::back_inserter(words));
  return words;
}

/// Of all that decides what the test does: another one does not go on where this one was.
Result<std::string> digest_of_test(const TestRequest& request, const std::string& initramfs) {
  std::string text = build_and_format();
  for (const std::string& word : request.child_words) text += '\n' + word;
  text += '\n' + verdict::shell_words(request.command);
  return fmt::format("{:016x}", digest_of_text(text, TRY(digest_of_files(request, initramfs))));
}

}  // namespace

Result<Done> make_test_folder(TestRequest& request) {
  if (!request.out.empty()) {
    request.folder = request.out;
    std::error_code error;
    fs::create_directories(request.folder, error);
    if (error) return Error{fmt::format("--out '{}' cannot be made: {}.", request.out, error.message())};
    return Done{};
  }
  const char* const temporary = std::getenv("TMPDIR");
  std::string name =
      fmt::format("{}/reprise-test-XXXXXX", temporary != nullptr && *temporary != 0 ? temporary : "/tmp");
  if (mkdtemp(name.data()) == nullptr)
    return Error{
        fmt::format("a folder '{}' cannot be made: {}. Name one by --out.", name, std::strerror(errno))};
  request.folder = name;
  request.folder_is_ours = true;
  return Done{};
}

Result<std::vector<std::string>> prepare_test(TestRequest& request) {
  if (request.kernel_tests) return prepare_kernel_tests(request);
  const std::string busybox = TRY(find_busybox(request));
  const RootKind root = TRY(kind_of_root(request));
  verdict::GuestTask task;
  task.command = request.command;
  task.environment = request.environment;
  task.shares_work = !request.share.empty();
  task.work_read_only = request.share_words.find("readonly") != request.share_words.npos;
  task.waits = !request.snapshot.empty() || !request.snapshot_to.empty();
  verdict::Initramfs initramfs;
  TRY(fill_root(request, root, busybox, initramfs, task));
  initramfs.add_file(".reprise/task", verdict::task_text(task));
  constexpr u32 kProgram = 0755;
  initramfs.add_file(".reprise/init", std::string(verdict::init_text()), kProgram);
  request.token = verdict::token_of(task);

  TRY(make_test_folder(request));
  const std::string path = request.folder + "/initramfs.cpio";
  TRY(write_initramfs(initramfs, root == RootKind::Archive ? request.root : std::string(), path));
  if (!request.out.empty() && request.snapshot_to.empty()) {
    request.inputs = TRY(digest_of_test(request, path));
    const auto progress = read_progress(request.folder);
    request.goes_on =
        progress && progress.value().inputs == request.inputs && fs::exists(checkpoint_path(request.folder));
    std::error_code error;
    if (!request.goes_on) fs::remove(progress_path(request.folder), error);
  }
  if (request.goes_on) return with_first(words_of_run(request), "--load=" + checkpoint_path(request.folder));
  if (!request.snapshot.empty()) {
    request.input = verdict::command_text(task);
    const std::string state =
        request.snapshot == "auto" ? TRY(usual_snapshot(request, path)) : request.snapshot;
    return with_first(words_of_run(request), "--load=" + state);
  }
  std::vector<std::string> words = {"--kernel=" + request.kernel, "--initrd=" + path,
                                    append_word(request, "rdinit=/.reprise/init")};
  std::ranges::copy(words_of_run(request), std::back_inserter(words));
  if (root == RootKind::Image) words.push_back("--disk=" + with_commas_doubled(request.root) + ",bus=virtio");
  if (root == RootKind::SharedFolder)
    words.push_back(
        fmt::format("--share={},tag={},readonly", with_commas_doubled(request.root), verdict::kRootTag));
  if (!request.share.empty())
    words.push_back(fmt::format("--share={},tag={}{}{}", with_commas_doubled(request.share),
                                verdict::kWorkTag, request.share_words.empty() ? "" : ",",
                                request.share_words));
  return words;
}

void remove_test_folder(const TestRequest& request) {
  if (!request.folder_is_ours) return;
  std::error_code error;
  fs::remove_all(request.folder, error);
}

}  // namespace reprise::frontend
