#include "devices/misc/coprocessor_error.h"

namespace reprise::devices {

void CoprocessorError::set_request(bool request) {
  request_ = request;
  irq13_.set(request);
}

void CoprocessorError::begin() {
  ferr_ = true;
  ignne_ = false;
  set_request(true);
}

bool CoprocessorError::ignored() {
  ferr_ = true;
  if (!ignne_) set_request(true);
  return ignne_;
}

void CoprocessorError::pio_write(u16, Width, u32) {
  ignne_ = ferr_;
  set_request(false);
}

void CoprocessorError::reset(ResetKind) {
  ferr_ = ignne_ = false;
  set_request(false);
}

void CoprocessorError::serialize(Archive& archive) {
  archive.tag("coprocessor_error");
  archive.value(ferr_);
  archive.value(ignne_);
  archive.value(request_);
}

}  // namespace reprise::devices
