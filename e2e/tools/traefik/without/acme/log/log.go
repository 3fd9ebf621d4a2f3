package log

var Logger any
