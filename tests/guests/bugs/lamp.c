// A driver with a bug, for docs/debugging.md: what /dev/lamp needs while it is open is freed too early. The kernel crashes later, and in
// its own code.
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct lamp {
  unsigned long blinks;
  struct timer_list timer;
  char name[32];
};

static void lamp_blink(struct timer_list* timer) {
  struct lamp* lamp = from_timer(lamp, timer, timer);

  lamp->blinks++;
  mod_timer(&lamp->timer, jiffies + HZ / 10);
}

static int lamp_open(struct inode* inode, struct file* file) {
  struct lamp* lamp = kzalloc(sizeof(*lamp), GFP_KERNEL);

  if (!lamp) return -ENOMEM;
  timer_setup(&lamp->timer, lamp_blink, 0);
  mod_timer(&lamp->timer, jiffies + HZ / 10);
  file->private_data = lamp;
  return 0;
}

static int lamp_release(struct inode* inode, struct file* file) {
  kfree(file->private_data); /* the timer goes on */
  return 0;
}

static const struct file_operations lamp_operations = {
    .owner = THIS_MODULE,
    .open = lamp_open,
    .release = lamp_release,
};

static struct miscdevice lamp_device = {
    .minor = MISC_DYNAMIC_MINOR,
    .name = "lamp",
    .fops = &lamp_operations,
};

/* Innocent: it keeps the last label that was written to /dev/label. */
static char* label;

static ssize_t label_write(struct file* file, const char __user* text, size_t bytes, loff_t* at) {
  char* copy = memdup_user_nul(text, min_t(size_t, bytes, 95));

  if (IS_ERR(copy)) return PTR_ERR(copy);
  kfree(xchg(&label, copy));
  return bytes;
}

static const struct file_operations label_operations = {
    .owner = THIS_MODULE,
    .write = label_write,
};

static struct miscdevice label_device = {
    .minor = MISC_DYNAMIC_MINOR,
    .name = "label",
    .fops = &label_operations,
};

static int __init lamp_init(void) {
  int error = misc_register(&lamp_device);

  return error ? error : misc_register(&label_device);
}
module_init(lamp_init);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A use after free");
