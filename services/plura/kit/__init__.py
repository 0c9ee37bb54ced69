"""What every part of plura shares: settings, clock."""
