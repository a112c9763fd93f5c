// A form that asks for a time zone begins with the browser's own.
export function fillInTimeZones() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of document.querySelectorAll("[data-time-zone]")) {
    const unchanged = field.value === "" || (field.matches("select") && field.value === "UTC");
    if (zone && unchanged && (!field.options || [...field.options].some((option) => option.value === zone))) field.value = zone;
  }
}
