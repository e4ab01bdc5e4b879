package org.nrg.xft.security;

/** Signature of XNAT's user; compiled against, never packed. */
public interface UserI {
}
