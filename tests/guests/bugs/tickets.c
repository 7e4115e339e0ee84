// A driver with a race, for docs/kernel-tests.md: who reads /dev/tickets gets tickets, and two who read at the same time get one of them
// twice, if one of them is interrupted in the wrong place.
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static unsigned int next_ticket;
static unsigned int checks;

/* What else there is to do for a ticket. */
static noinline void print_ticket(unsigned int ticket) {
  unsigned int i;

  for (i = 0; i < 500; i++) WRITE_ONCE(checks, READ_ONCE(checks) * 31 + ticket);
}

static noinline unsigned int take_ticket(void) {
  unsigned int ticket = READ_ONCE(next_ticket);

  if (ticket % 8 == 0) print_ticket(ticket); /* the first of a new roll */
  WRITE_ONCE(next_ticket, ticket + 1);       /* somebody else may have taken it since */
  return ticket;
}

static ssize_t tickets_read(struct file* file, char __user* text, size_t bytes, loff_t* at) {
  char line[32];
  unsigned int ticket = take_ticket();

  print_ticket(ticket);
  bytes = min_t(size_t, bytes, scnprintf(line, sizeof(line), "%u\n", ticket));
  return copy_to_user(text, line, bytes) ? -EFAULT : bytes;
}

static const struct file_operations tickets_operations = {
    .owner = THIS_MODULE,
    .read = tickets_read,
};

static struct miscdevice tickets_device = {
    .minor = MISC_DYNAMIC_MINOR,
    .name = "tickets",
    .fops = &tickets_operations,
};

module_misc_device(tickets_device);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A race");
