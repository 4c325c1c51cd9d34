(** "All losses are created equal", literally: while c < 1 - s one dual matrix,
    -(c/N) (I - J/K) Y, certifies cross-entropy, label smoothing and MSE with free bias. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
From UFM Require Import MseModes Exponential Softmax CrossEntropy.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section CreatedEqual.
Variables (R : rcfType) (E : exponential R) (K N n : nat) (lab : 'I_N -> 'I_K).
Variables (lw lh s : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh) (s0 : 0 <= s).
Local Notation c := (reg_c K n lw lh).
Local Notation G := (dual_matrix lab c 0).

Theorem losses_created_equal : c < 1 - s ->
  exists (Zce Zls Zmse : 'M[R]_(K, N)) (bmse : 'cV[R]_K),
    [/\ certificate (smoothed_ce E lab 0) lw lh FreeBias Zce 0 G,
        certificate (smoothed_ce E lab s) lw lh FreeBias Zls 0 G
      & certificate (mse (onehot R lab)) lw lh FreeBias Zmse bmse G].
Proof.
move=> cs; have c0 : 0 < c by exact: reg_c_gt0.
have s1 : s <= 1 by rewrite -subr_ge0 ltW // (lt_trans c0).
have c1 : c < 1 - 0 by rewrite subr0 (lt_le_trans cs) // ler_subl_addr ler_addl.
have mp lb : FreeBias = RegularizedBias lb :> bias_mode R -> 0 < lb by [].
have kE u : c < 1 - u -> cap c (1 - u) = c by rewrite /cap => ->.
have := ce_certificate E K0 n0 bal lw0 lh0 (lexx 0) ler01 mp; rewrite kE // => cert0.
have := ce_certificate E K0 n0 bal lw0 lh0 s0 s1 mp; rewrite kE // => cert1.
have c_ok : 0 <= c <= c by rewrite lexx ltW.
have z_ok : (0 : R) <= 0 <= c by rewrite lexx ltW.
have KN : K%:R != 0 :> R by rewrite pnatr_eq0 -lt0n.
have yE : (0 : R) = 1 - 0 - K%:R * K%:R^-1 by rewrite mulfV // subr0 subrr.
have bias : bias_balanced FreeBias G (K%:R^-1 *: (ones K)^T : 'cV[R]_K).
  by rewrite /= (dual_matrix_ones K0 n0 bal) mul0r oppr0 scale0r.
have cert2 := mse_certificate K0 n0 bal lw0 lh0 c_ok z_ok (erefl (1 - c)) yE bias.
by eexists; eexists; eexists; eexists; split; [exact: cert0|exact: cert1|exact: cert2].
Qed.
End CreatedEqual.
